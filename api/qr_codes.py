"""QR codes as pictures that a page may hold."""

import segno


def svg_address(text: str) -> str:
    """A QR code as the address of an SVG picture that needs no request: what it says is in nobody's log."""
    address: str = segno.make(text, error="m", micro=False).svg_data_uri(border=4, dark="#2c2621", light="#fffdf8")
    return address
