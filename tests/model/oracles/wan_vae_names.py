"""The official names of diffusers' tensors of AutoencoderKLWan."""

LEAF = {
    "norm1.gamma": "residual.0.gamma",
    "conv1": "residual.2",
    "norm2.gamma": "residual.3.gamma",
    "conv2": "residual.6",
    "conv_shortcut": "shortcut",
}


def leaf(rest):
    for old, new in LEAF.items():
        if rest.startswith(old):
            return new + rest[len(old):]
    return rest


def official(name, blocks):
    """The official name of a diffusers tensor; `blocks` is the number of residual blocks per decoder level."""
    part = name.split(".")
    if part[0] == "quant_conv":
        return "conv1." + part[1]
    if part[0] == "post_quant_conv":
        return "conv2." + part[1]
    side, rest = part[0] + ".", part[1:]
    if rest[0] == "conv_in":
        return side + "conv1." + rest[1]
    if rest[0] == "norm_out":
        return side + "head.0.gamma"
    if rest[0] == "conv_out":
        return side + "head.2." + rest[1]
    if rest[0] == "mid_block" and rest[1] == "attentions":
        return side + "middle.1." + ".".join(rest[3:])
    if rest[0] == "mid_block":
        return side + f"middle.{2 * int(rest[2])}." + leaf(".".join(rest[3:]))
    if rest[0] == "down_blocks":
        return side + f"downsamples.{rest[1]}." + leaf(".".join(rest[2:]))
    assert rest[0] == "up_blocks", name
    index = int(rest[1]) * (blocks + 1) + (int(rest[3]) if rest[2] == "resnets" else blocks)
    return side + f"upsamples.{index}." + leaf(".".join(rest[4:]))
