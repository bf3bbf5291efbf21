"""Extract sound on the video's clock: 16 kHz mono whose sample 0 is time 0 of the sample.

A sample's clock starts with its first video frame (`circumplex.media.video`), so the frame at time
t corresponds to audio sample ``16000 t``. Sound that starts later is preceded by silence, sound
that starts earlier is cut, and a gap in the timestamps becomes silence of the same length. A track
of digital silence counts as none.
"""

import logging
import wave
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.error import FFmpegError

from circumplex.errors import ModalityAbsent, SampleError
from circumplex.io.atomic import replacing
from circumplex.io.parquet import read_metadata
from circumplex.media.images import refuse_sound
from circumplex.media.streams import StreamFacts, describe_stream, missing_s, select_stream
from circumplex.media.video import (
    JUMP_BACK_S,
    LONGEST_GAP_S,
    check_length,
    check_rate,
    demux,
    describe_jump,
    open_media,
    reraise_out_of_memory,
    seconds,
)
from circumplex.media.wave import SAMPLE_RATE, append_facts

LOG = logging.getLogger(__name__)
# Containers round timestamps to about 1 ms: only larger deviations are gaps or overlaps. This is
# half of the 10 ms within which sound and picture must agree.
TOLERANCE_S = 0.005
SILENT_PEAK = 1
"""Largest absolute value of 16 bits that counts as digital silence: dither and rounding."""


def extract_audio(
    media: Path, output: Path, *, clock: Path | None, number: int | None = None
) -> None:
    """Write the sound of a media file as a 16-bit mono WAV file at 16 kHz on the sample's clock.

    Channels are mixed down with FFmpeg's matrix. The file ends where the sound ends, which may be
    before or after the last video frame. After the samples, the file holds the `StreamFacts`.

    Args:
        media: media file.
        output: WAV file to write.
        clock: timeline of the same file, from `extract_frames`; None if the sound has its own
            file, or no video: then sample 0 is the first audio sample.
        number: place among the audio streams, if the sheet names one.

    Raises:
        ModalityAbsent: there is no audio stream, the sound ends before the first frame, or all of
            it is digital silence.
        SampleError: the file is unreadable, no sound decodes, its channels cannot be mixed, its
            rate lies outside the limits, or gaps add up to more than an hour.
    """
    refuse_sound(media)
    start_s = None if clock is None else read_metadata(clock).get("video", {}).get("video_start_s")
    with open_media(media) as container, replacing(output) as temporary:
        stream = select_stream(container, media, "audio", number)
        facts = describe_stream(container, media, stream)
        with wave.open(str(temporary), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(SAMPLE_RATE)
            writer = _ClockedWriter(file, start_s)
            for block in _decode(container, stream):
                writer.add(block)
            writer.end_segment()
        _check(writer)
        _report(facts, writer.length_s)
        append_facts(temporary, {"sound": {**asdict(facts), "found_s": writer.length_s}})


def _check(writer: "_ClockedWriter") -> None:
    if not writer.started:
        raise SampleError(
            "no part of the sound decodes: the audio stream is damaged; copy the file "
            "again, or remove the stream with `ffmpeg -i FILE -an -c copy NEW_FILE`"
        )
    if writer.written == 0:
        raise ModalityAbsent("the sound ends before the first frame of the video")
    if writer.peak <= SILENT_PEAK:
        raise ModalityAbsent("the sound is digital silence from its start to its end")


def _report(facts: StreamFacts, length_s: float) -> None:
    if facts.of > 1:
        LOG.warning("audio stream %d of %d is taken, from 0", facts.number, facts.of)
    if lack := missing_s(facts, length_s):
        LOG.warning(
            "%.1f of the %.1f s that the file announces are missing at the end of the sound: is it "
            "cut off?",
            *(lack, facts.announced_s),
        )


def _decode(container: Any, stream: Any) -> Iterator[AudioFrame]:
    errors = 0
    for packet in demux(container, stream):
        try:
            blocks = stream.codec_context.decode(packet if packet.size else None)
        except FFmpegError as error:
            reraise_out_of_memory(error)
            errors += 1
            continue
        yield from blocks
    if errors:
        LOG.warning("%d audio packets failed to decode; they become silence", errors)


class _ClockedWriter:
    """Write decoded blocks at their position on the sample's clock.

    A segment is a run of blocks of one format whose timestamps agree with the count of audio
    samples. Each segment has one resampler and starts where its first timestamp says.
    """

    def __init__(self, file: wave.Wave_write, start_s: float | None) -> None:
        self.written = 0
        self.started = False
        self.peak = 0
        self.length_s = 0.0
        self._gaps_s = 0.0
        self._file = file
        self._start_s = start_s
        self._shift_s = 0.0
        self._end_s = 0.0
        self._format: tuple[int, str, str] | None = None
        self._resampler: AudioResampler | None = None
        self._to_cut = 0

    def add(self, block: AudioFrame) -> None:
        """Write a block at its place; gaps before it become silence."""
        check_rate(block.sample_rate)
        stamp_s = seconds(block.pts, block.time_base)
        if stamp_s is not None:
            stamp_s += self._shift_s
        if not self.started:
            first_s = stamp_s or 0.0
            self._start_s = first_s if self._start_s is None else self._start_s
            self._end_s = first_s
        if stamp_s is not None and self.started and stamp_s < self._end_s - JUMP_BACK_S:
            # Concatenated recordings: continue without a gap, as the timeline of the video does.
            self._shift_s += self._end_s - stamp_s
            stamp_s = self._end_s
        stamp_s = self._end_s if stamp_s is None else stamp_s
        kind = (block.sample_rate, block.layout.name, block.format.name)
        if kind != self._format or abs(stamp_s - self._end_s) > TOLERANCE_S:
            self.end_segment()
            self._begin_segment(stamp_s)
            self._format = kind
        self.started = True
        block_s = block.samples / block.sample_rate
        self.length_s += block_s
        self._end_s += block_s
        block.pts = None  # the resampler counts samples and must ignore timestamps
        self._write(self._resample(block))

    def end_segment(self) -> None:
        """Write the samples that the resampler still buffers."""
        if self._resampler is not None and self.started:
            self._write(self._resample(None))
        self._resampler = None

    def _resample(self, block: AudioFrame | None) -> list[AudioFrame]:
        if self._resampler is None:
            return []
        try:
            return self._resampler.resample(block)
        except (FFmpegError, ValueError, OverflowError) as error:
            if isinstance(error, FFmpegError):
                reraise_out_of_memory(error)
            rate, layout, _ = self._format or (0, "unknown", "")
            raise SampleError(
                f"the sound cannot be mixed to one channel (channels: {layout}, {rate} Hz): "
                "FFmpeg does not know where its channels belong; take one of them with "
                '`ffmpeg -i FILE -af "pan=mono|c0=c0" NEW_FILE`'
            ) from error

    def _begin_segment(self, stamp_s: float) -> None:
        place = round((stamp_s - (self._start_s or 0.0)) * SAMPLE_RATE)
        gap = place - self.written
        self._gaps_s += max(gap, 0) / SAMPLE_RATE
        if self._gaps_s > LONGEST_GAP_S:
            raise SampleError(describe_jump("sound", self._gaps_s))
        for start in range(0, max(gap, 0), SAMPLE_RATE):
            self._file.writeframes(bytes(2 * min(SAMPLE_RATE, gap - start)))
        self.written += max(gap, 0)
        self._to_cut = max(-gap, 0)
        self._end_s = stamp_s
        self._resampler = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)

    def _write(self, blocks: list[AudioFrame]) -> None:
        for block in blocks:
            values = block.to_ndarray().reshape(-1)
            cut = min(self._to_cut, len(values))
            self._to_cut -= cut
            kept = values[cut:].astype("<i2")
            self._file.writeframes(kept.tobytes())
            self.written += len(kept)
            check_length(self.written / SAMPLE_RATE)
            if len(kept):
                self.peak = max(self.peak, int(np.abs(kept.astype(np.int32)).max()))
