"""The layouts of annotations, one module each: the sheet's `annotation_format` names it."""
