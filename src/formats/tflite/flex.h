// The options of custom operators: a flexbuffer map, checked before it is read.
#pragma once

#include <string_view>
#include <vector>

#include "formats/tflite/node.h"

namespace mote::tflite {

class FlexOptions {
 public:
  // Of the operator; empty where its options are something else.
  explicit FlexOptions(NodeContext& n) : FlexOptions(n.custom_options()) {}
  explicit FlexOptions(std::span<const std::byte> bytes);

  std::int64_t get_int(std::string_view name, std::int64_t otherwise) const;
  double get_float(std::string_view name, double otherwise) const;
  // Names, and values that are numbers, texts or lists of numbers.
  const std::vector<Attrs::Item>& items() const { return items_; }
  // The first option that is none of those; "" where there is none.
  const std::string& odd() const { return odd_; }
  bool is_map() const { return is_map_; }

 private:
  const AttrValue* find(std::string_view name) const;

  std::vector<Attrs::Item> items_;
  std::string odd_;
  bool is_map_ = false;
};

}  // namespace mote::tflite
