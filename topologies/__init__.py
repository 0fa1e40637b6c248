"""Fabrics: families, routes, catalogues, bills of materials and what can be measured on a graph."""
