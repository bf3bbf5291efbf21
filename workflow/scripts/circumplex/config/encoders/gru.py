"""Options of the GRU, which is not in the paper: those of its LSTM."""

from circumplex.config.encoders.lstm import Options as LstmOptions


class Options(LstmOptions):
    """A GRU whose state goes on through the video."""
