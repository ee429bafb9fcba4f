"""`python -m keras_attention_cli`, as `keras-attention`."""

import sys

from keras_attention_cli.main import main

sys.exit(main())
