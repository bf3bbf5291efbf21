"""The ways in which a request can be wrong; everything else is a bug and fails its job."""


class CircumplexError(Exception):
    """Base of the errors that a user can mend: the message says what is wrong and what to do."""


class RequestError(CircumplexError):
    """The whole request makes no sense (unknown key, duplicate name): stops before any job."""


class SampleError(CircumplexError):
    """The input of one sample is unusable (missing, unreadable, empty): fails that sample alone.

    Raise it only for defects of the *input*; a bug or a lack of memory must fail the job.
    """


class ModalityAbsent(CircumplexError):
    """The sample has no such modality (a video without sound): its features are marked absent."""


class StillSetError(CircumplexError):
    """A set of still images is not in its published layout, or too much of it is broken."""
