"""A parser that fails on HTML that is not balanced."""

from html.parser import HTMLParser


class Balanced(HTMLParser):
    """Fails on tags that do not match, and collects those it saw."""

    VOID = ("meta", "img", "br")

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
