"""PAGAN (Melhart et al. 2019): rows as they arrived, of all participants of a project.

The header ``OriginalName,DatabaseName,Participant,SessionID,Timestamp,VideoTime,Value`` is that of
the program's own export (its public PHP source). The unit of ``VideoTime`` could not be checked:
it is taken for seconds, unless ``labels.table.unit`` says ``ms`` or the video's length contradicts.
Rows may arrive out of order, as those who worked with it say, and are sorted; of two with one time,
the later one counts. Values have no stated range (`labels.table.range` declares it).
"""

from pathlib import Path

import numpy as np

from circumplex.annotations.tables import read_table, to_seconds
from circumplex.annotations.traces import Trace, check_times
from circumplex.config.annotations import AnnotationTable, TimeUnit
from circumplex.errors import SampleError
from circumplex.targets import Target

COLUMNS = ("OriginalName", "Participant", "VideoTime", "Value")


def read_traces(annotation: Path, target: Target | None, options: AnnotationTable) -> list[Trace]:
    """Read the traces of a file, one per participant.

    Raises:
        SampleError: the file is missing, unreadable, or not of this layout, holds several videos,
            or the sheet does not say which target it holds.
    """
    if target is None:
        raise SampleError(
            f"annotation {annotation} is of PAGAN, which rates one target and does not say which: "
            "name it in the sheet's column annotation_valence or annotation_arousal"
        )
    table = read_table(annotation, options)
    places = [table.find(name) for name in COLUMNS]
    if any(place is None for place in places):
        raise SampleError(
            f"annotation {annotation} lacks a column of {', '.join(COLUMNS)} of PAGAN"
        )
    video, participant, time, value = [place for place in places if place is not None]
    videos = sorted(set(table.texts(video)))
    if len(videos) > 1:
        raise SampleError(
            f"annotation {annotation} holds {len(videos)} videos, {videos[0]!r} and {videos[1]!r} "
            "among them: write the rows of each OriginalName into a file of its own"
        )
    lines, (times, values) = table.numbers([time, value])
    unit = TimeUnit.SECONDS if options.unit is TimeUnit.AUTO else options.unit
    time_s, who = to_seconds(times, unit), np.array(table.texts(participant))
    traces = []
    for name in dict.fromkeys(who.tolist()) or [""]:
        mine = np.flatnonzero(who == name)
        mine = mine[np.argsort(time_s[mine], kind="stable")]
        last = np.append(np.diff(time_s[mine]) != 0, True)[: len(mine)]
        mine = mine[last]
        check_times(annotation, time_s[mine], [lines[row] for row in mine])
        traces.append(Trace(target, name, time_s[mine], values[mine], unit=unit))
    return traces
