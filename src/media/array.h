// Array: a named tensor as files hold it, and the limits every reader in this folder obeys.
// An Array owns its bytes (row-major, native endianness, elements packed as DType says); strings live in `strings`, one
// per element, and leave `data` empty. An ArrayView borrows. Values only: safe to use from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mote/dtype.h"
#include "mote/status.h"

namespace mote::media {

struct Array {
  std::string name;
  DType dtype = DType::none;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> data;
  std::vector<std::string> strings;
};

struct ArrayView {
  std::string_view name;
  DType dtype = DType::none;
  std::span<const std::int64_t> shape;
  std::span<const std::byte> data;
  std::span<const std::string> strings;

  ArrayView() = default;
  ArrayView(std::string_view n, DType t, std::span<const std::int64_t> s, std::span<const std::byte> d,
            std::span<const std::string> str = {})
      : name(n), dtype(t), shape(s), data(d), strings(str) {}
  ArrayView(const Array& a) : ArrayView(a.name, a.dtype, a.shape, a.data, a.strings) {}  // NOLINT
};

// What a file may ask for before it is refused. max_bytes bounds what one call allocates, max_pixels one decoded image
// (Pillow's own limit).
struct Limits {
  std::int64_t max_bytes = sizeof(void*) == 4 ? std::int64_t{1} << 30 : std::int64_t{16} << 30;
  std::int64_t max_pixels = 178'956'970;
};

// "(2, 3)" as numpy writes it: "()", "(3,)".
std::string numpy_shape(std::span<const std::int64_t> shape);

// Ok if `bytes` more may be allocated for `what`: within the limit and obtainable from the system right now.
Status check_allocation(std::int64_t bytes, const Limits& limits, std::string_view what);

}  // namespace mote::media
