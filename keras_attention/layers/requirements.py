"""What layers and models ask of their arguments, checked as soon as they are known."""


def require_positive(owner, **integers):
    """Raise unless each named argument is an integer of at least 1."""
    for name, value in integers.items():
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            raise TypeError(
                f"{owner}: got {name}={value!r} ({type(value).__name__}), but {name} "
                f"counts something. Give an integer of at least 1."
            )
        if value < 1:
            raise ValueError(
                f"{owner}: got {name}={value}, but there must be at least one. "
                f"Give an integer of at least 1."
            )


def require_rate(owner, **rates):
    """Raise ValueError unless each named share of dropped units lies in [0, 1)."""
    for name, value in rates.items():
        if not 0 <= value < 1:
            raise ValueError(
                f"{owner}: got {name}={value}, but it is the share of units dropped "
                f"in training, and at 1 nothing would be left. Give a number in [0, 1)."
            )


def require_divisible(owner, d_model, num_heads):
    """Raise ValueError unless `d_model` splits evenly over `num_heads`."""
    if d_model % num_heads:
        raise ValueError(
            f"{owner}: got d_model={d_model} and num_heads={num_heads}, but each "
            f"head needs an equal whole share of d_model ({d_model} / {num_heads} = "
            f"{d_model / num_heads:g}). Use a num_heads that divides {d_model}."
        )


def require_stack(owner, dropout_rate, **sizes):
    """Raise unless layers of attention can be built of these settings."""
    require_positive(owner, **sizes)
    require_rate(owner, dropout_rate=dropout_rate)
    require_divisible(owner, sizes["d_model"], sizes["num_heads"])


def require_rank(owner, rank, **shapes):
    """Raise ValueError unless each named shape has `rank` axes."""
    for name, shape in shapes.items():
        if len(shape) != rank:
            raise ValueError(
                f"{owner}: got {name} of shape {tuple(shape)}, but {rank} axes are "
                f"needed. Reshape {name} to {rank} axes."
            )


def require_within_table(owner, length, max_length):
    """Raise ValueError when a length known in advance exceeds a table of positions."""
    if length is not None and length > max_length:
        raise ValueError(
            f"{owner}: got {length} positions, but the table holds "
            f"max_length={max_length}. Shorten the input or build the layer with "
            f"max_length={length} or more."
        )
