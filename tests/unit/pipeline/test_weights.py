from example_requests import builder_of, request_config

ADDED = ["timm", "vit", "speech", "mfcc"]


def test_networks_that_no_experiment_uses_need_no_weights(tmp_path):
    builder = builder_of(request_config(tmp_path), tmp_path)
    assert not set(ADDED) & {feature.name for feature in builder.plan.features}
    assert not any(problem.startswith(tuple(ADDED)) for problem in builder.weights.problems())
