"""How much: numbers from pixels; arrays in, arrays out."""
