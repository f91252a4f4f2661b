"""Networks: nnU-Net's U-Nets, put together as each method needs them."""
