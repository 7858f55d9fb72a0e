"""How numbers and days are written, where Django's own rules for a language are not what people use."""
