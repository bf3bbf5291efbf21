#!/usr/bin/env bash
# A Slurm cluster of two nodes on this machine: `slurm.sh start FOLDER`, `slurm.sh stop FOLDER`.
# Needs root and Debian's packages slurm-wlm and munge. Refuses where a slurm.conf of another hand
# lies: this is for a container or a test machine, never for a real cluster.
set -euo pipefail
conf=/etc/slurm/slurm.conf
mark="# Written by Circumplex's tests/cluster/slurm.sh"

start() {
  local folder=$1 host memory
  host=$(hostname -s)
  if [[ -e $conf ]] && ! grep -qF "$mark" "$conf"; then
    echo "slurm.sh: $conf is not ours; stop" >&2
    exit 1
  fi
  # Half the memory a node, so that two full nodes fit this machine.
  memory=$(awk '/MemTotal/ {print int($2 / 1024 / 2)}' /proc/meminfo)
  mkdir -p "$folder"/{ctld,n1,n2,run,log} /etc/slurm
  cat > "$conf" <<CONF
$mark
ClusterName=circumplex
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CryptoType=crypto/munge
SlurmctldPort=6817
StateSaveLocation=$folder/ctld
SlurmdSpoolDir=$folder/%n
SlurmctldPidFile=$folder/run/slurmctld.pid
SlurmdPidFile=$folder/run/slurmd.%n.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
# Without cgroups, the memory limit is kept by polling each job's use.
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=2,batch_sched_delay=0,sched_min_interval=0
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MpiDefault=none
ReturnToService=2
MinJobAge=300
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=17001 CPUs=2 RealMemory=$memory State=UNKNOWN
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=17002 CPUs=2 RealMemory=$memory State=UNKNOWN
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
CONF
  install -d -o munge -g munge -m 755 /run/munge
  [[ -e /etc/munge/munge.key ]] || mungekey --create
  chown munge:munge /etc/munge/munge.key
  pgrep -x munged > /dev/null || runuser -u munge -- munged
  slurmctld
  slurmd -N n1
  slurmd -N n2
  for _ in $(seq 60); do
    if [[ $(sinfo --noheader --Node --format=%T 2> /dev/null | grep -c idle) == 2 ]]; then
      sinfo
      return
    fi
    sleep 0.5
  done
  echo "slurm.sh: the nodes did not come up; see $folder/log" >&2
  exit 1
}

await_end() {
  for _ in $(seq 40); do
    pgrep "$1" > /dev/null || break
    sleep 0.25
  done
}

stop() {
  scontrol shutdown || true
  await_end '^slurm(ctl)?d$'
  pkill -x munged || true
  await_end '^munged$' # a start at once would take the dying one for a running one
  if grep -qF "$mark" "$conf" 2> /dev/null; then rm "$conf"; fi
  rm -rf "$1"
}

case ${1-} in
  start | stop) "$1" "$(realpath -m "${2:?folder for state and logs}")" ;;
  *) echo "usage: slurm.sh start|stop FOLDER" >&2 && exit 2 ;;
esac
