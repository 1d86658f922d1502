"""What the reference sees of a picture, before it is resized."""

from PIL import Image, ImageOps


def upright(file):
    """The RGB picture: the first frame, `exif_transpose`, then the alpha rule of `transformers`' `convert_to_rgb`:
    what has an alpha band or a transparent colour is laid on white, the rest is converted as it is."""
    image = ImageOps.exif_transpose(Image.open(file))
    if "A" in image.getbands() or "transparency" in image.info:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, (255, 255, 255)), rgba)
    return image.convert("RGB")
