// .npy files (numpy's format, versions 1.0 to 3.0) from and to memory.
// Read: booleans, integers, floats and complex numbers of every size Mote has, fixed-width bytes `S` and unicode `U`
// (trailing NULs dropped, unicode becomes UTF-8); big-endian data is swapped, Fortran order transposed. Objects,
// records, dates, voids and long doubles are refused by name. Bytes after the data are ignored, as numpy does. Written:
// version 1.0 (2.0 where the header is long), C order. Types numpy has not are widened: bf16, fp8 and fp4 to float32,
// 4- and 2-bit integers to int8 or uint8. Strings become `U` of the longest one and must be UTF-8.
// Errors name the byte offset in the file; sizes are checked against the data before anything is allocated.
#pragma once

#include "media/array.h"

namespace mote::media {

// Whether the bytes start like an .npy file.
bool is_npy(std::span<const std::byte> file);

Result<Array> read_npy(std::span<const std::byte> file, const Limits& limits = {});

Result<std::vector<std::byte>> write_npy(const ArrayView& array, const Limits& limits = {});

// The dtype an array of `t` has in a file: itself, or what it is widened to.
DType npy_dtype(DType t);

// The way back: an array of npy_dtype(t) becomes one of `t`, floats rounded to nearest, integers that do not fit
// refused. Any other array stays as it is.
Status narrow(Array& array, DType t);

// The pieces read_npy and write_npy are made of, for archives that stream.
struct NpyHeader {
  DType dtype = DType::none;
  char kind = 0;         // numpy's letter: b i u f c S U
  bool swap = false;     // data is in the other endianness
  bool fortran = false;  // data is column-major
  std::vector<std::int64_t> shape;
  std::int64_t count = 0;      // elements
  std::int64_t item_size = 0;  // bytes of one element in the file
  std::int64_t data_offset = 0;
  std::int64_t data_bytes() const { return count * item_size; }
};
// Bytes before the data, given the first 12 of the file.
Result<std::int64_t> npy_header_size(std::span<const std::byte> first_bytes);
// `file_size` is the size of the whole file, of which `start` holds at least the header.
Result<NpyHeader> parse_npy_header(std::span<const std::byte> start, std::int64_t file_size, const Limits& limits);
// Turns the data section, header.data_bytes() long, into the array.
Result<Array> npy_to_array(const NpyHeader& header, std::vector<std::byte> raw, const Limits& limits);

// An array as the bytes of a file: header, then data, which is `owned` where it had to be converted and borrowed
// otherwise.
struct NpyFile {
  std::vector<std::byte> header, owned;
  std::span<const std::byte> borrowed;
  std::span<const std::byte> data() const { return borrowed.empty() ? std::span<const std::byte>(owned) : borrowed; }
};
Result<NpyFile> npy_from_array(const ArrayView& array, const Limits& limits);

}  // namespace mote::media
