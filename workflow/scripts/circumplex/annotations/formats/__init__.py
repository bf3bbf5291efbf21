"""The layouts of annotations, one module each: the sheet's `annotation_format` names it.

A module has either ``read(annotation)``, which returns one row per frame of the video, or
``read_traces(annotation, target, options)``, which returns a `circumplex.annotations.traces.Trace`
per annotator and target. `circumplex.annotations.recognition` says by which beginning a file is
recognised without its name.
"""
