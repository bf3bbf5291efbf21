import numpy as np
import pytest
import torch

from circumplex.config.encoders.registry import encoder_values, read_encoder
from circumplex.config.modalities import MissingModality
from circumplex.errors import RequestError
from circumplex.model.checkpoints import TrainedModel, load_model, save_model
from circumplex.model.network import Network
from circumplex.model.normalisation import Scaling
from circumplex.targets import Target
from circumplex.training.dataset import SegmentLoader
from circumplex.training.predict import Predictor, padding_mask, predict_samples
from synthetic_data import SyntheticData

SMALL = {"hidden": 16, "heads": 2, "regressor": [8]}
LENGTHS = {"a": 1, "b": 10, "c": 23, "d": 20}
CPU = torch.device("cpu")


@pytest.fixture
def corpus(tmp_path):
    corpus = SyntheticData(tmp_path, LENGTHS)
    corpus.features["voice"]["d"] = None
    return corpus


def make(valence=(1,), arousal=(1,), missing="zeros", **values):
    width = {"feed_forward": 24} if values["kind"] == "transformer" else {}
    spec = read_encoder({**SMALL, **width, **values})
    networks = {}
    for epoch in sorted({*valence, *arousal}):
        torch.manual_seed(epoch)
        flags = 2 if missing == "zeros_with_mask" else 0
        networks[epoch] = Network(spec, 12, flags).eval()
        if flags:
            torch.nn.init.normal_(networks[epoch].absence)
    weights = {epoch: network.state_dict() for epoch, network in networks.items()}
    scalings = {"face": Scaling(np.full(6, 3, "f4"), np.ones(6, "f4")), "voice": None}
    model = TrainedModel(
        spec={"encoder": encoder_values(spec), "visual": ["face"], "missing_modality": missing},
        dimensions={"face": 6, "voice": 6},
        scalings=scalings,
        checkpoints={
            Target.VALENCE: [(e, weights[e]) for e in valence],
            Target.AROUSAL: [(e, weights[e]) for e in arousal],
        },
        seed=0,
        fold=None,
        metadata={"note": "corpus"},
    )
    return model, networks


def inputs(corpus, sample):
    """Second implementation of loading: the whole video, scaled and concatenated by hand."""
    voice = corpus.features["voice"][sample]
    voice = np.zeros((LENGTHS[sample], 6), "f4") if voice is None else voice
    return torch.from_numpy(np.hstack([corpus.features["face"][sample] - 3, voice]))


@pytest.mark.parametrize("length", [1, 4, 10, 100])
def test_lstm_in_segments_equals_the_whole_video(corpus, length):
    model, networks = make(kind="lstm", segment_length=length, stride=length)
    reader, _ = corpus.readers()
    predictor = Predictor(model, reader)
    for sample in LENGTHS:
        whole = networks[1](inputs(corpus, sample)[None])[0][0].detach().numpy()
        np.testing.assert_allclose(predictor.predict(sample), whole, atol=1e-6)


@pytest.mark.parametrize(("length", "stride"), [(8, 8), (8, 3), (5, 1), (30, 30)])
def test_transformer_averages_overlapping_segments(corpus, length, stride):
    model, networks = make(kind="transformer", segment_length=length, stride=stride)
    reader, _ = corpus.readers()
    for sample, frames in LENGTHS.items():
        x = inputs(corpus, sample)
        total, count = np.zeros((frames, 2)), np.zeros((frames, 1))
        for start in range(0, frames, stride):
            segment = x[None, start : start + length]
            total[start : start + length] += networks[1](segment)[0][0].detach().numpy()
            count[start : start + length] += 1
        np.testing.assert_allclose(
            Predictor(model, reader).predict(sample), total / count, atol=1e-5
        )


@pytest.mark.parametrize("kind", ["lstm", "transformer"])
def test_together_equals_alone(corpus, kind):
    spec = read_encoder({**SMALL, "kind": kind, "segment_length": 6, "stride": 6})
    torch.manual_seed(0)
    networks = [Network(spec, 12), Network(spec, 12)]
    reader, _ = corpus.readers()
    loader = SegmentLoader(reader, {"face": None, "voice": None})
    together = dict(predict_samples(networks, spec, loader, LENGTHS, CPU))
    assert together.keys() == LENGTHS.keys()
    for sample, frames in LENGTHS.items():
        ((_, alone),) = predict_samples(networks, spec, loader, [sample], CPU)
        assert alone.shape == (frames, 2, 2)
        np.testing.assert_allclose(together[sample], alone, atol=1e-5)


def test_checkpoints_are_averaged_apart_for_each_target(corpus):
    reader, _ = corpus.readers()
    kind = {"kind": "lstm", "segment_length": 5, "stride": 5}
    model, _ = make(valence=(1, 2), arousal=(2, 3, 4), **kind)
    single = {e: Predictor(make((e,), (e,), **kind)[0], reader).predict("c") for e in range(1, 5)}
    result = Predictor(model, reader).predict("c")
    np.testing.assert_allclose(
        result[:, 0], np.mean([single[e][:, 0] for e in (1, 2)], 0), atol=1e-6
    )
    np.testing.assert_allclose(
        result[:, 1], np.mean([single[e][:, 1] for e in (2, 3, 4)], 0), atol=1e-6
    )


def test_model_file_round_trip_and_equal_bytes(corpus, tmp_path):
    model, _ = make((1, 2), (2,), kind="lstm")
    save_model(model, tmp_path / "one.pt")
    save_model(model, tmp_path / "two.pt")
    assert (tmp_path / "one.pt").read_bytes() == (tmp_path / "two.pt").read_bytes()
    loaded = load_model(tmp_path / "one.pt")
    reader, _ = corpus.readers()
    np.testing.assert_array_equal(
        Predictor(loaded, reader).predict("c"), Predictor(model, reader).predict("c")
    )
    assert loaded.dimensions == {"face": 6, "voice": 6}
    assert list(loaded.scalings) == ["face", "voice"]
    assert (loaded.seed, loaded.fold, loaded.metadata) == (0, None, {"note": "corpus"})
    assert list(loaded.epochs()) == [1, 2]


def test_another_file_is_refused(tmp_path):
    torch.save({"weights": torch.zeros(1)}, tmp_path / "x.pt")
    with pytest.raises(RequestError, match="not a model file"):
        load_model(tmp_path / "x.pt")


def test_packs_of_another_dimension_are_refused(corpus):
    model, _ = make(kind="lstm")
    for name, values in corpus.features["voice"].items():
        corpus.features["voice"][name] = None if values is None else values[:, :4]
    reader, _ = corpus.readers()
    with pytest.raises(RequestError, match="takes voice with 6 values per frame, the packs have 4"):
        Predictor(model, reader)


def test_a_prediction_that_is_not_finite_is_named(corpus):
    model, _ = make(kind="lstm")
    corpus.features["face"]["b"][4] = np.nan
    reader, _ = corpus.readers()
    with pytest.raises(ValueError, match="b: the prediction of frame 4"):
        Predictor(model, reader).predict("b")


def test_padding_mask():
    assert padding_mask(np.array([3, 3]), CPU) is None
    assert padding_mask(np.array([3, 1]), CPU).tolist() == [[False] * 3, [False, True, True]]


@pytest.mark.parametrize("kind", ["lstm", "transformer"])
def test_the_network_knows_which_features_are_absent(corpus, kind):
    model, networks = make(kind=kind, segment_length=50, stride=50, missing="zeros_with_mask")
    reader, _ = corpus.readers()
    for sample, frames in LENGTHS.items():
        absent = torch.tensor([0.0, corpus.features["voice"][sample] is None])
        x = torch.cat([inputs(corpus, sample), absent.expand(frames, 2)], dim=1)
        expected = networks[1](x[None])[0][0].detach().numpy()
        np.testing.assert_allclose(Predictor(model, reader).predict(sample), expected, atol=1e-6)


def test_a_sample_that_lacks_a_modality_is_predicted_or_left_out(corpus):
    reader, _ = corpus.readers()
    for missing in MissingModality:
        model, _ = make(kind="lstm", missing=missing.value)
        told = {sample: Predictor(model, reader).predicts(sample) for sample in LENGTHS}
        whole = missing is not MissingModality.LEAVE_OUT
        assert told == {"a": True, "b": True, "c": True, "d": whole}
        assert not Predictor(model, reader).predicts("failed")
