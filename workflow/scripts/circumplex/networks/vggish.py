"""VGGish: the network, its log-mel front end and its post-processor.

Section 3.2.2 of the paper; Hershey et al., "CNN Architectures for Large-Scale Audio
Classification". Parameters are named as in the common PyTorch port of the AudioSet release.
"""

import torch
from torch import nn

FEATURES = 128
SAMPLE_RATE = 16_000  # Hz
WINDOW, HOP, FFT = 400, 160, 512  # samples: 25 ms, 10 ms, the next power of two
BANDS, LOWEST_HZ, HIGHEST_HZ = 64, 125.0, 7500.0
LOG_OFFSET = 0.01
EXAMPLE_FRAMES = 96  # 0.96 s
EXAMPLE_SAMPLES = (EXAMPLE_FRAMES - 1) * HOP + WINDOW  # 15,600: what the 96 frames touch
QUANTISE_LIMIT = 2.0  # whitened values are clipped to [-2, 2] before 8-bit quantisation


def hertz_to_mel(hertz: torch.Tensor) -> torch.Tensor:
    """The HTK mel scale."""
    return 1127.0 * torch.log1p(hertz / 700.0)


def mel_matrix() -> torch.Tensor:
    """Weights (257, 64) from magnitudes to mel bands, triangular on the mel scale; float64."""
    bins = hertz_to_mel(torch.linspace(0, SAMPLE_RATE / 2, FFT // 2 + 1, dtype=torch.float64))
    limits = hertz_to_mel(torch.tensor([LOWEST_HZ, HIGHEST_HZ], dtype=torch.float64))
    edges = torch.linspace(limits[0].item(), limits[1].item(), BANDS + 2, dtype=torch.float64)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    rising = (bins[:, None] - lower) / (centre - lower)
    falling = (upper - bins[:, None]) / (upper - centre)
    return torch.minimum(rising, falling).clamp_min(0)


class LogMel(nn.Module):
    """Log-mel examples of waves: magnitudes of 25 ms periodic Hann windows every 10 ms."""

    window: torch.Tensor
    weights: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        window = torch.hann_window(WINDOW, periodic=True, dtype=torch.float64)
        # Padded to the length of the transform, so that frames need no padding.
        window = nn.functional.pad(window, (0, FFT - WINDOW))
        self.register_buffer("window", window, persistent=False)
        self.register_buffer("weights", mel_matrix().float(), persistent=False)

    def forward(self, waves: torch.Tensor) -> torch.Tensor:
        """Waves (batch, 15600) at 16 kHz in [-1, 1] to float32 examples (batch, 1, 96, 64).

        The transform is computed in float64, as in the release: a quiet band is a small difference
        of large numbers, whose rounding the logarithm magnifies. What follows only adds what is
        not negative, so that float32 does (4e-7 from float64 throughout).
        """
        padded = nn.functional.pad(waves.double(), (0, FFT - WINDOW))
        frames = padded.unfold(1, FFT, HOP) * self.window  # (batch, 96, 512)
        spectra = torch.fft.rfft(frames).to(torch.complex64)  # (batch, 96, 257)
        magnitudes = (spectra.real.square() + spectra.imag.square()).sqrt()  # faster than abs()
        return torch.log(magnitudes @ self.weights + LOG_OFFSET).unsqueeze(1)


class VGGish(nn.Module):
    """Embed log-mel examples (batch, 1, 96, 64) as (batch, 128), all values >= 0."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 1
        for stage in ((64,), (128,), (256, 256), (512, 512)):
            for outputs in stage:
                layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
                inputs = outputs
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)  # (batch, 512, 6, 4)
        self.embeddings = nn.Sequential(
            nn.Linear(512 * 6 * 4, 4096),
            nn.ReLU(),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Linear(4096, FEATURES),
            nn.ReLU(),
        )
        for name, parameter in self.named_parameters():
            if name.endswith("weight"):
                nn.init.kaiming_normal_(parameter, nonlinearity="relu")
            else:
                nn.init.zeros_(parameter)

    def forward(self, examples: torch.Tensor) -> torch.Tensor:
        """Embeddings (batch, 128)."""
        maps = self.features(examples)
        # The release keeps channels last; its first linear layer expects that order.
        embeddings: torch.Tensor = self.embeddings(maps.permute(0, 2, 3, 1).flatten(1))
        return embeddings


class Postprocessor(nn.Module):
    """AudioSet's whitening and 8-bit quantisation of VGGish embeddings.

    Names and shapes are those of the release's ``vggish_pca_params.npz``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pca_eigen_vectors = nn.Parameter(torch.eye(FEATURES))
        self.pca_means = nn.Parameter(torch.zeros(FEATURES))

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Embeddings (batch, 128) to whole numbers 0 to 255 as float32, same shape."""
        whitened = (embeddings - self.pca_means) @ self.pca_eigen_vectors.T
        clipped = whitened.clamp(-QUANTISE_LIMIT, QUANTISE_LIMIT)
        return torch.round((clipped + QUANTISE_LIMIT) * (255 / (2 * QUANTISE_LIMIT)))
