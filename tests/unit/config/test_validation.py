from circumplex.config.validation import suggestion


def test_suggestions():
    assert suggestion("densent", ["densenet", "fau"]) == "; did you mean 'densenet'?"
    assert suggestion("zzz", ["b", "a"]) == "; known: a, b"
