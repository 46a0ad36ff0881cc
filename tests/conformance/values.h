// Test data: tensors, sequences and optionals as the cases store them, and the ONNX runner's comparison.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "formats/onnx/onnx.h"
#include "mote/dtype.h"
#include "mote/status.h"

namespace mote::conformance {

struct TestValue {
  enum class Kind { kTensor, kList, kNothing };  // kNothing: an empty optional
  Kind kind = Kind::kTensor;
  DType dtype = DType::none;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;      // dense, low bits first for packed types
  std::vector<std::string> strings;  // for dtype string
  std::vector<TestValue> items;      // lists

  std::string describe() const;
};

Result<std::vector<std::byte>> read_file(const std::string& path);

// The content of an input_K.pb or output_K.pb that holds a value of `type`.
Result<TestValue> read_value(const std::string& path, const onnx::TypeProto& type);
Result<TestValue> tensor_value(const Constant& c);

// What is different, or empty. `loose`: same type and shape, and mean and spread as of the same distribution.
std::string difference(const TestValue& expected, const TestValue& got, bool loose);

}  // namespace mote::conformance
