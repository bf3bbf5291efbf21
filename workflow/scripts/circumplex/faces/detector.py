"""Detect faces and their five landmarks with MTCNN."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from facenet_pytorch import MTCNN
from facenet_pytorch.models.utils.detect_face import (
    batched_nms_numpy,
    bbreg,
    generateBoundingBox,
    pad,
    rerec,
)
from numpy.typing import NDArray
from torchvision.ops.boxes import batched_nms

from circumplex.config.faces import FaceOptions
from circumplex.io.devices import explaining_lack_of_memory, in_halves, send

SMALLEST_INPUT = 12
"""Side of P-Net's window in pixels: the smallest face it detects at full scale."""
UNTRACKED = -1
PIECES_PER_CALL = 512


@dataclass(frozen=True)
class Faces:
    """The faces of a frame, the most probable first.

    Attributes:
        boxes: (faces, 4) float32, x0, y0, x1, y1 in pixels; may extend beyond the picture.
        landmarks: (faces, 10) float32, x and y in pixels of left eye, right eye, nose, left and
            right corner of the mouth; left and right as seen in the picture.
        probabilities: (faces,) float32 in [0, 1].
    """

    boxes: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    probabilities: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.probabilities)


class FaceDetector:
    """MTCNN on batches of frames of one size; build it once per process.

    Args:
        options: thresholds, scales and smallest face size.
        device: PyTorch's name of the device that the networks run on.
    """

    def __init__(self, options: FaceOptions, device: str = "cpu") -> None:
        networks = MTCNN(keep_all=True, device=torch.device(device))
        networks = networks.eval().to(memory_format=torch.channels_last)
        self._pnet, self._rnet, self._onet = networks.pnet, networks.rnet, networks.onet
        self._device = torch.device(device)
        self._options = options

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[Faces]:
        """Detect the faces in (height, width, 3) RGB uint8 pictures, all of the same size.

        Raises:
            JobError: a GPU's memory does not do for one picture.
        """
        with explaining_lack_of_memory("Detect on the CPU: compute.gpu: 0"):
            return in_halves(self._detect, images)

    @torch.inference_mode()
    def _detect(self, images: Sequence[NDArray[np.uint8]]) -> list[Faces]:
        boxes, owners = self._propose(images)
        boxes, owners = self._refine(images, boxes, owners)
        boxes, owners, landmarks = self._locate(images, boxes, owners)
        return [
            _sort_by_probability(boxes[owners == i].numpy(), landmarks[owners == i].numpy())
            for i in range(len(images))
        ]

    @torch.inference_mode()
    def refine(
        self, images: Sequence[NDArray[np.uint8]], boxes: NDArray[np.float32]
    ) -> list[Faces]:
        """Find the face near a place in each picture, by the last two stages alone.

        Args:
            images: (height, width, 3) RGB pictures of one size, one for each place.
            boxes: (places, 4) x0, y0, x1, y1 in pixels.

        Returns:
            For each place the faces that the two networks find from there; perhaps none.
        """
        squares = rerec(torch.from_numpy(boxes.astype(np.float32)))
        squares, owners = self._refine(images, squares, torch.arange(len(boxes)))
        found, owners, landmarks = self._locate(images, squares, owners)
        return [
            _sort_by_probability(found[owners == i].numpy(), landmarks[owners == i].numpy())
            for i in range(len(boxes))
        ]

    def _propose(self, images: Sequence[NDArray[np.uint8]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Run P-Net on the image pyramid; give square candidates (n, 5) and the image of each."""
        height, width = images[0].shape[:2]
        scale = SMALLEST_INPUT / self._options.min_face_size
        all_boxes, all_owners = [torch.zeros(0, 9)], [torch.zeros(0, dtype=torch.int64)]
        pictures = list(images)
        while min(height, width) * scale >= SMALLEST_INPUT:
            size = (int(width * scale + 1), int(height * scale + 1))
            pictures = [cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in pictures]
            offsets, probabilities = self._pnet(self._normalise(np.stack(pictures)))
            boxes, owners = generateBoundingBox(
                offsets.cpu(), probabilities[:, 1].cpu(), scale, self._options.thresholds[0]
            )
            kept = batched_nms(boxes[:, :4], boxes[:, 4], owners, 0.5)
            all_boxes.append(boxes[kept])
            all_owners.append(owners[kept])
            scale *= self._options.factor
        boxes, owners = torch.cat(all_boxes), torch.cat(all_owners)
        kept = batched_nms(boxes[:, :4], boxes[:, 4], owners, 0.7)
        boxes, owners = boxes[kept], owners[kept]
        sides = (boxes[:, 2:4] - boxes[:, :2]).repeat(1, 2)
        moved = torch.cat([boxes[:, :4] + boxes[:, 5:9] * sides, boxes[:, 4:5]], dim=1)
        return rerec(moved), owners

    def _refine(
        self, images: Sequence[NDArray[np.uint8]], boxes: torch.Tensor, owners: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Run R-Net on the candidates; give fewer and more accurate squares."""
        pieces, boxes, owners = self._cut(images, boxes, owners, 24)
        offsets, probabilities = self._call(self._rnet, pieces, (4, 2))
        passed = probabilities[:, 1] > self._options.thresholds[1]
        boxes = torch.cat([boxes[passed, :4], probabilities[passed, 1:]], dim=1)
        owners, offsets = owners[passed], offsets[passed]
        kept = batched_nms(boxes[:, :4], boxes[:, 4], owners, 0.7)
        return rerec(bbreg(boxes[kept], offsets[kept])), owners[kept]

    def _locate(
        self, images: Sequence[NDArray[np.uint8]], boxes: torch.Tensor, owners: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Run O-Net on the rest; give boxes (n, 5), the image of each, and landmarks (n, 10)."""
        pieces, boxes, owners = self._cut(images, boxes, owners, 48)
        offsets, points, probabilities = self._call(self._onet, pieces, (4, 10, 2))
        passed = probabilities[:, 1] > self._options.thresholds[2]
        boxes = torch.cat([boxes[passed, :4], probabilities[passed, 1:]], dim=1)
        owners, offsets, points = owners[passed], offsets[passed], points[passed]
        sides = boxes[:, None, 2:4] - boxes[:, None, :2] + 1
        places = points.reshape(-1, 2, 5).transpose(1, 2)  # O-Net gives five x, then five y
        landmarks = boxes[:, None, :2] + places * sides - 1
        boxes = bbreg(boxes, offsets)
        kept = batched_nms_numpy(boxes[:, :4], boxes[:, 4], owners, 0.7, "Min")
        return boxes[kept], owners[kept], landmarks[kept].reshape(-1, 10)

    def _cut(
        self,
        images: Sequence[NDArray[np.uint8]],
        boxes: torch.Tensor,
        owners: torch.Tensor,
        side: int,
    ) -> tuple[NDArray[np.uint8], torch.Tensor, torch.Tensor]:
        """Cut out and resize the boxes; a box entirely outside its picture is dropped."""
        height, width = images[0].shape[:2]
        y0, y1, x0, x1 = pad(boxes, width, height)
        inside = (y1 >= y0) & (x1 >= x0)
        pieces = np.empty((int(inside.sum()), side, side, 3), np.uint8)
        for piece, k in zip(pieces, np.flatnonzero(inside), strict=True):
            part = images[int(owners[k])][y0[k] - 1 : y1[k], x0[k] - 1 : x1[k]]
            piece[:] = cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA)
        kept = torch.from_numpy(inside)
        return pieces, boxes[kept], owners[kept]

    def _call(
        self, network: torch.nn.Module, pieces: NDArray[np.uint8], widths: tuple[int, ...]
    ) -> list[torch.Tensor]:
        """Run a network on `PIECES_PER_CALL` pieces at a time; no pieces give arrays of no rows."""
        parts = [[torch.zeros(0, width) for width in widths]]
        for start in range(0, len(pieces), PIECES_PER_CALL):
            outputs = network(self._normalise(pieces[start : start + PIECES_PER_CALL]))
            parts.append([output.cpu() for output in outputs])
        return [torch.cat(column) for column in zip(*parts, strict=True)]

    def _normalise(self, pictures: NDArray[np.uint8]) -> torch.Tensor:
        tensor = send(pictures, self._device).permute(0, 3, 1, 2).float()
        return tensor.sub_(127.5).mul_(1 / 128)


def _sort_by_probability(boxes: NDArray[np.float32], landmarks: NDArray[np.float32]) -> Faces:
    order = np.argsort(-boxes[:, 4], kind="stable")
    return Faces(boxes[order, :4], landmarks[order], boxes[order, 4])
