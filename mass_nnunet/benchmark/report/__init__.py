"""Makes tables, figures and a page of the cells of a grid."""
