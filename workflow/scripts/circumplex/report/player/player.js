
"use strict";
// Draws a sample's trace and its place in the circumplex, and keeps both at the video's time.
//
// The block "data" holds: time, seconds of every frame; end, seconds; start, the video's time at
// the sample's time 0; faces, a letter per frame (s seen, f filled, a absent) or nothing; traces,
// by ensemble its name and for valence and arousal: value and spread, numbers per frame, spread
// empty with fewer than two models.
(() => {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const TARGETS = ["valence", "arousal"];
  const FACES = {s: "face seen", f: "no face seen, the nearest one used", a: "no face"};
  const MARGIN = {left: 44, right: 10, top: 8};
  const PANEL = 96, GAP = 12, AXIS = 24;
  const TAIL_S = 3, TAIL_PIECES = 6;
  const NEAR_S = 0.0006; // times are rounded, and a player's are not exact
  const STEPS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200];
  const media = byId("media"), plot = byId("plot"), play = byId("play");
  let trace = data.traces[0];
  let cursor = null, scale = null;

  function make(name, attributes, text) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    return element;
  }

  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  function fixed(value, decimals) {
    const text = value.toFixed(decimals);
    return Number(text) === 0 ? (0).toFixed(decimals) : text.replace("-", "\u2212");
  }

  function clock(seconds, decimals) {
    const minutes = Math.floor(seconds / 60);
    const rest = (seconds - 60 * minutes).toFixed(decimals);
    return `${minutes}:${rest.padStart(decimals ? decimals + 3 : 2, "0")}`;
  }

  // The last frame that has begun at a time.
  function frameAt(seconds) {
    let low = 0, high = data.time.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (data.time[middle] <= seconds + NEAR_S) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  // The time is the video's, or where none plays one of our own.

  const own = {at: 0, since: null};
  const opened = () => media !== null && media.readyState > 0 && media.error === null;

  function now() {
    if (opened()) return clamp(media.currentTime - data.start, 0, data.end);
    if (own.since === null) return own.at;
    return Math.min(own.at + (performance.now() - own.since) / 1000, data.end);
  }

  function playing() {
    return opened() ? !media.paused && !media.ended : own.since !== null;
  }

  function seek(seconds) {
    own.at = clamp(seconds, 0, data.end);
    if (own.since !== null) own.since = performance.now();
    if (opened()) media.currentTime = own.at + data.start;
    show();
  }

  const seekFrame = (frame) => seek(data.time[clamp(frame, 0, data.time.length - 1)] + NEAR_S);

  function toggle() {
    if (opened()) {
      if (playing()) media.pause();
      else media.play().catch(() => {});
    } else if (playing()) {
      own.at = now();
      own.since = null;
    } else {
      if (own.at >= data.end) own.at = 0;
      own.since = performance.now();
    }
    run();
  }

  let running = false;
  function run() {
    show();
    if (!opened() && own.since !== null && now() >= data.end) {
      own.at = data.end;
      own.since = null;
    }
    play.textContent = playing() ? "Pause" : "Play";
    if (playing() && !running) {
      running = true;
      requestAnimationFrame(() => { running = false; run(); });
    }
  }

  // The trace: drawn once per width, with the extremes of each column of pixels.

  function columns(width) {
    const frames = data.time.length;
    const count = Math.min(frames, Math.max(Math.floor(width), 1));
    return Array.from({length: count}, (_, k) => [
      Math.floor(k * frames / count), Math.floor((k + 1) * frames / count)]);
  }

  function linePoints(values, pieces, down) {
    const points = [];
    for (const [first, end] of pieces) {
      let low = first, high = first;
      for (let k = first + 1; k < end; k++) {
        if (values[k] < values[low]) low = k;
        if (values[k] > values[high]) high = k;
      }
      for (const k of low < high ? [low, high] : low > high ? [high, low] : [low]) {
        points.push(`${scale(data.time[k]).toFixed(1)},${down(values[k]).toFixed(1)}`);
      }
    }
    return points.join(" ");
  }

  function bandPoints(values, spread, pieces, down) {
    const above = [], below = [];
    for (const [first, end] of pieces) {
      let high = -Infinity, low = Infinity;
      for (let k = first; k < end; k++) {
        high = Math.max(high, values[k] + spread[k]);
        low = Math.min(low, values[k] - spread[k]);
      }
      const across = scale(data.time[first]).toFixed(1);
      above.push(`${across},${down(clamp(high, -1, 1)).toFixed(1)}`);
      below.push(`${across},${down(clamp(low, -1, 1)).toFixed(1)}`);
    }
    return [...above, ...below.reverse()].join(" ");
  }

  function unseenRuns() {
    const runs = [];
    for (let k = 0; k < data.faces.length; k++) {
      if (data.faces[k] === "s") continue;
      const from = k;
      while (k + 1 < data.faces.length && data.faces[k + 1] !== "s") k++;
      runs.push([data.time[from], k + 1 < data.time.length ? data.time[k + 1] : data.end]);
    }
    return runs;
  }

  function draw() {
    const width = Math.max(plot.clientWidth, 240);
    const inner = width - MARGIN.left - MARGIN.right;
    const height = MARGIN.top + 2 * PANEL + GAP + AXIS;
    const bottom = height - AXIS;
    const end = data.end || 1;
    scale = (seconds) => MARGIN.left + inner * seconds / end;
    const svg = make("svg", {viewBox: `0 0 ${width} ${height}`});
    for (const [from, to] of unseenRuns()) {
      const across = scale(from);
      svg.append(make("rect", {
        class: "unseen", x: across.toFixed(1), y: MARGIN.top,
        width: Math.max(scale(to) - across, 0.7).toFixed(1), height: bottom - MARGIN.top}));
    }
    const pieces = columns(inner);
    TARGETS.forEach((target, number) => {
      const top = MARGIN.top + number * (PANEL + GAP);
      const down = (value) => top + (1 - value) / 2 * PANEL;
      for (const value of [-1, 0, 1]) {
        svg.append(make("line", {
          class: value ? "edge" : "zero", x1: MARGIN.left, x2: width - MARGIN.right,
          y1: down(value), y2: down(value)}));
        svg.append(make("text", {
          x: MARGIN.left - 6, y: down(value) + 4, "text-anchor": "end"}, fixed(value, 0)));
      }
      const {value, spread} = trace[target];
      if (spread.length) {
        svg.append(make("polygon", {
          class: `band ${target}`, points: bandPoints(value, spread, pieces, down)}));
      }
      svg.append(make("polyline", {
        class: `line ${target}`, points: linePoints(value, pieces, down)}));
      svg.append(make("text", {
        class: `name ${target}`, x: MARGIN.left + 6, y: top + 13}, target));
    });
    const step = STEPS_S.find((seconds) => end / seconds <= inner / 70) || 14400;
    for (let k = 0; k * step <= end; k++) {
      const across = scale(k * step);
      svg.append(make("line", {
        class: "edge", x1: across, x2: across, y1: bottom, y2: bottom + 5}));
      const anchor = k === 0 ? "start" : width - across < 24 ? "end" : "middle";
      svg.append(make("text", {
        x: anchor === "end" ? width : across, y: bottom + 18, "text-anchor": anchor},
        clock(k * step, step < 1 ? 1 : 0)));
    }
    cursor = make("line", {class: "cursor", id: "cursor", y1: MARGIN.top - 4, y2: bottom});
    svg.append(cursor);
    plot.replaceChildren(svg);
    byId("path").setAttribute("points", placesOf(0, data.time.length - 1, 2000).join(" "));
    show();
  }

  // Places in the circumplex from one frame to another, at most so many.
  function placesOf(first, last, most) {
    const step = Math.max(Math.ceil((last - first) / most), 1);
    const places = [];
    for (let k = first; k <= last; k += step) places.push(placeOf(k).join(","));
    if ((last - first) % step) places.push(placeOf(last).join(","));
    return places;
  }

  function placeOf(frame) {
    const [valence, arousal] = TARGETS.map((target) => trace[target].value[frame]);
    return [Number((100 * valence).toFixed(2)), Number((-100 * arousal).toFixed(2))];
  }

  function showTail(frame) {
    const from = frameAt(Math.max(data.time[frame] - TAIL_S, 0));
    const pieces = [];
    for (let k = 0; k < TAIL_PIECES; k++) {
      const [first, last] = [k, k + 1].map((end) => (
        from + Math.round((frame - from) * end / TAIL_PIECES)));
      if (last > first) {
        pieces.push(make("polyline", {
          points: placesOf(first, last, 60).join(" "), class: "tail",
          "stroke-opacity": (0.12 + 0.7 * (k + 1) / TAIL_PIECES).toFixed(2),
          "stroke-width": (1 + 2 * (k + 1) / TAIL_PIECES).toFixed(1)}));
      }
    }
    byId("tail").replaceChildren(...pieces);
  }

  function showReading(seconds, frame) {
    const parts = [document.createElement("b"), ` frame ${frame}`, document.createElement("br")];
    parts[0].textContent = clock(seconds, 2);
    for (const target of TARGETS) {
      const text = document.createElement("span");
      const {value, spread} = trace[target];
      text.className = target;
      text.textContent = `${target} ${fixed(value[frame], 2)}`
        + (spread.length ? `\u00a0±\u00a0${fixed(spread[frame], 2)}` : "");
      parts.push(text, document.createElement("br"));
    }
    if (data.faces) parts.push(FACES[data.faces[frame]]);
    byId("reading").replaceChildren(...parts);
  }

  function show() {
    const seconds = now(), frame = frameAt(seconds);
    const [across, down] = placeOf(frame);
    const dot = byId("dot");
    dot.setAttribute("cx", across);
    dot.setAttribute("cy", down);
    dot.dataset.frame = frame;
    dot.classList.toggle("unseen", Boolean(data.faces) && data.faces[frame] !== "s");
    cursor.setAttribute("x1", scale(seconds).toFixed(1));
    cursor.setAttribute("x2", scale(seconds).toFixed(1));
    showTail(frame);
    showReading(seconds, frame);
  }

  // What a person does.

  function timeAt(event) {
    const box = plot.getBoundingClientRect();
    const inner = box.width - MARGIN.left - MARGIN.right;
    return (event.clientX - box.left - MARGIN.left) / inner * data.end;
  }

  plot.addEventListener("pointerdown", (event) => {
    plot.setPointerCapture(event.pointerId);
    seek(timeAt(event));
  });
  plot.addEventListener("pointermove", (event) => {
    if (plot.hasPointerCapture(event.pointerId)) seek(timeAt(event));
  });

  for (const button of document.querySelectorAll(".jump")) {
    button.addEventListener("click", () => seekFrame(frameAt(Number(button.dataset.time))));
  }
  play.addEventListener("click", toggle);

  const ensemble = byId("ensemble");
  if (ensemble) {
    ensemble.addEventListener("change", () => {
      trace = data.traces[Number(ensemble.value)];
      for (const button of document.querySelectorAll(".jump")) {
        button.hidden = button.dataset.ensemble !== ensemble.value;
      }
      draw();
    });
  }

  const KEYS = {
    " ": toggle,
    ArrowLeft: () => seek(now() - 1),
    ArrowRight: () => seek(now() + 1),
    ",": () => seekFrame(frameAt(now()) - 1),
    ".": () => seekFrame(frameAt(now()) + 1),
    Home: () => seek(0),
    End: () => seekFrame(data.time.length - 1),
  };
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, textarea");
    const pressing = event.key === " " && event.target.closest("button, a");
    const act = Object.hasOwn(KEYS, event.key) ? KEYS[event.key] : null;
    if (!act || typing || pressing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation(); // the video's own controls know some of these keys
    act();
  }, {capture: true});

  // A video that opens takes the time over; one that does not leaves it to the page.

  if (media) {
    const missing = () => { byId("missing").hidden = false; };
    media.addEventListener("error", missing);
    if (media.error || media.networkState === HTMLMediaElement.NETWORK_NO_SOURCE) missing();
    const taken = () => {
      byId("missing").hidden = true;
      own.since = null;
      if (own.at > 0) media.currentTime = own.at + data.start;
      run();
    };
    media.addEventListener("loadedmetadata", taken);
    if (opened()) taken();
    for (const name of ["play", "pause", "ended", "seeking", "seeked", "timeupdate"]) {
      media.addEventListener(name, run);
    }
    byId("choice").addEventListener("change", (event) => {
      const [file] = event.target.files;
      if (file) media.src = URL.createObjectURL(file);
    });
  }

  new ResizeObserver(draw).observe(plot);
  draw();
  const linked = /^#t=([0-9.]+)$/.exec(location.hash);
  if (linked) seekFrame(frameAt(Number(linked[1])));
  run();
})();
