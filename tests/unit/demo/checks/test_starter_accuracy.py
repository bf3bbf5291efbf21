"""Which images of FER+ count for the starter's accuracy."""

from demo.checks.starter_accuracy import read_labels

HEADER = (
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n"
)


def test_only_test_images_with_a_majority_of_known_expressions_count(tmp_path):
    path = tmp_path / "fer2013new.csv"
    path.write_text(
        HEADER + "Training,a.png,10,0,0,0,0,0,0,0,0,0\n"
        "PrivateTest,b.png,0,6,4,0,0,0,0,0,0,0\n"
        "PrivateTest,half.png,0,5,5,0,0,0,0,0,0,0\n"
        "PrivateTest,contempt.png,0,0,0,0,0,0,0,9,1,0\n"
        "PrivateTest,,0,0,10,0,0,0,0,0,0,0\n"
        "PrivateTest,twice.png,0,10,0,0,0,0,0,0,0,0\n"
        "PrivateTest,twice.png,10,0,0,0,0,0,0,0,0,0\n"
        "PrivateTest,c.png,0,0,0,0,0,0,10,0,0,0\n"
    )
    assert list(read_labels(path)) == [("b.png", "happiness"), ("c.png", "fear")]
