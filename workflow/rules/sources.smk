# Functions that name what single rules read: files of the user, of exports and of other parts of the
# config. `snakemake --lint` wants them beside no rule.


def start_of(wildcards):
    """Checkpoint that a recipe starts from; what is missing for it stops the run here."""
    problems = REQUESTS.weights.recipe_problems(wildcards.recipe)
    if problems:
        raise RequestError("\n".join(problems))
    path = PLAN.weights_path(PLAN.backbones.start(wildcards.recipe))
    return [] if path is None else ancient([str(path)])


def backbone_cards(wildcards):
    """Cards of all recipes whose sets are declared; where there is none, why stops the run."""
    try:
        recipes = PLAN.backbones.require_any()
    except RequestError as error:
        raise WorkflowError(str(error))
    return [output("train_backbone", "card", name) for name in recipes]


def counted_files(wildcards):
    """Files whose rows are the frames of samples without video."""
    name = PLAN.counted_feature.name
    return ancient(REQUESTS.contents.import_files(wildcards.shard, name))


def imported_files(wildcards):
    """Files that hold a feature."""
    shard, feature = wildcards.shard, wildcards.feature
    return ancient(REQUESTS.contents.import_files(shard, feature))


def exported_model(wildcards):
    """The run's model where an exported ensemble brings it."""
    if PLAN.export is None or PLAN.is_pretrained(wildcards.run.split("/")[0]):
        return []
    return ancient(f"{PLAN.config['export']}/{wildcards.run}.pt")


def organisers_list(wildcards):
    """The organisers' list that a submission follows, if it names one."""
    return ancient(REQUESTS.contents.list_files(wildcards.submission))


def table_files(name):
    """A table and the submissions it scores; a clear message where no preset declares it."""
    if name not in PLAN.tables:
        raise WorkflowError(
            f"{name} is not in the config: add its preset, as in\n  snakemake --cores 8 "
            f"--configfile config/paper/{name}.yaml -- {name}\n(after --configfile "
            "config/demo.yaml for the demo corpus)"
        )
    rows = PLAN.tables[name]["rows"]
    submitted = [row["submission"] for row in rows if "submission" in row]
    return [
        *outputs("make_table", name).values(),
        *(
            output("write_submission", "manifest", submission)
            for submission in submitted
        ),
    ]


def search_files(wildcards):
    """Results of the search; a clear message where no preset declares one."""
    if PLAN.search is None:
        raise WorkflowError(
            "there is no search in the config: add its preset, as in\n"
            "  snakemake --cores 8 --configfile config/search.yaml -- search"
        )
    return outputs("summarise_search").values()
