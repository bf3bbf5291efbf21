from circumplex.errors import CircumplexError, ModalityAbsent, RequestError, SampleError


def test_a_handler_of_one_kind_of_error_does_not_take_another():
    kinds = (RequestError, SampleError, ModalityAbsent)
    for kind in kinds:
        assert issubclass(kind, CircumplexError)
        assert not issubclass(kind, (ValueError, OSError))
        assert not any(issubclass(kind, other) for other in kinds if other is not kind)
