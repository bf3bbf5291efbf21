"""The ways in which a request can be wrong.

Which errors end a job, and which a sample, is decided in `circumplex.pipeline.boundary`.
"""


class CircumplexError(Exception):
    """Base of the errors that a user can correct: the message says what is wrong and what to do."""


class RequestError(CircumplexError):
    """The whole request is invalid (unknown key, duplicate name): stops before any job."""


class SampleError(CircumplexError):
    """The input of one sample is unusable (missing, unreadable, empty): fails that sample alone."""


class PassingError(SampleError):
    """A sample failed by something that may pass by itself, such as a disk that does not answer.

    The next run tries again, whereas other failures stay until a file, the config or the code
    changes.
    """


class ModalityAbsent(CircumplexError):
    """The sample has no such modality (a video without sound): its features are marked absent."""


class JobError(CircumplexError):
    """Something that serves all samples of a job failed, such as a network: it ends the job."""


class StillSetError(CircumplexError):
    """A set of still images is not in its published layout, or too much of it is broken."""
