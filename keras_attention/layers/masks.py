"""Which key each query may see: boolean masks, True = may attend.

PyTorch's `key_padding_mask` means the reverse: there, True hides a key.
"""

from keras import ops


def causal_mask(length):
    """Let each position see itself and what came before it.

    Args:
        length: T, positions; an int, or a scalar tensor where T is unknown.

    Returns:
        (1, 1, T, T), bool: True at [..., t, s] where s <= t.

    Example:

    >>> causal_mask(3)[0, 0, 1]  # the second position: True, True, False
    """
    position = ops.arange(length)
    return (position[:, None] >= position[None, :])[None, None]  # (1, 1, T, T)


def visible_keys(owner, mask):
    """Bring a mask of 2, 3 or 4 axes to the form that broadcasts over scores.

    Args:
        owner: Who asks, for the error message.
        mask: True where a query may look: (B, S) hides padding from all queries,
            (B, T, S) is each query's own, (B, 1, T, S) or (B, N, T, S) each head's.

    Returns:
        (B, 1, 1, S), (B, 1, T, S) or (B, N, T, S), bool.

    Raises:
        ValueError: If the mask has another number of axes.
    """
    mask = ops.cast(mask, "bool")
    if len(mask.shape) == 2:
        return mask[:, None, None, :]  # (B, 1, 1, S)
    if len(mask.shape) == 3:
        return mask[:, None, :, :]  # (B, 1, T, S)
    if len(mask.shape) == 4:
        return mask
    raise ValueError(
        f"{owner}: got a mask of shape {tuple(mask.shape)}, but it must say which key "
        f"each query may see. Give (B, S) for padding, (B, T, S) for each query's own "
        f"keys, or (B, N, T, S) for each head's."
    )


def combine_masks(*masks):
    """Allow what every given mask allows; None restricts nothing.

    Returns:
        A boolean mask that broadcasts over all of them, or None if none was given.
    """
    combined = None
    for mask in masks:
        if mask is not None:
            combined = mask if combined is None else ops.logical_and(combined, mask)
    return combined
