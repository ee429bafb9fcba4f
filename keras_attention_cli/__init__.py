"""The command line: from parallel text to a served model, a file for each command.

It parses and prints; what is done is done by `keras_attention`, which is imported only
when it is used, since Keras and TensorFlow take seconds to come.
"""
