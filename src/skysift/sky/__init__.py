"""The nouns: values that stay as they are (maps, frames, beams, boxes, tables); no file is opened here."""
