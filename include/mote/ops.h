// The operations Mote knows, documented from their definitions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mote {

struct OpDoc {
  struct Slot {
    std::string_view name, doc;
    bool optional = false, variadic = false;
  };
  struct Attribute {
    std::string_view name, doc;
    std::string_view kind;      // int, float, string, ints, floats, strings, dtype
    std::string_view fallback;  // the default as text; empty: none
    bool required = false;
  };
  std::string_view name, doc;
  std::string_view family;  // the group it belongs to: math, nn, shape, ...
  int version = 1;
  std::vector<Slot> inputs, outputs;
  std::vector<Attribute> attributes;
  std::vector<std::string_view> traits;  // elementwise, view, random, control, "output shape depends on data"
  bool has_reference = false, has_decomposition = false;
};

// Sorted by name. The texts live as long as the program.
std::vector<OpDoc> list_ops();

}  // namespace mote
