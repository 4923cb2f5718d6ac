"""One module per TFLite builtin, named as the builtin."""
