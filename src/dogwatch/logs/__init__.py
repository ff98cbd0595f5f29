"""Log lines to templates: millions of lines become a page that a person can read.

``mask`` turns lines into shapes, ``shapes`` counts them in bounded memory, ``merge`` makes templates of
shapes, ``miner`` puts the three together. The room is pure: it takes bytes and returns values.
"""
