"""Networks: nnU-Net's U-Nets, combined as each method needs them."""
