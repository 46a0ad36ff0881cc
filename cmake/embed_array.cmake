# Writes OUT, a C++ source that holds the bytes of FILE as array SYMBOL. Run by mote_embed where .incbin cannot be had.
file(READ ${FILE} _hex HEX)
string(LENGTH "${_hex}" _digits)
math(EXPR _size "${_digits} / 2")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," _bytes "${_hex}")
string(REGEX REPLACE "(................................................................................)" "\\1\n" _bytes "${_bytes}")
file(WRITE ${OUT} "#include <cstddef>
extern \"C\" {
extern const unsigned char ${SYMBOL}[];
extern const std::size_t ${SYMBOL}_size;
alignas(64) const unsigned char ${SYMBOL}[] = {
${_bytes}0};
const std::size_t ${SYMBOL}_size = ${_size};
}
")
