// ONNX's types and tensors in Mote's terms, and back.
#pragma once

#include <functional>
#include <string>

#include "formats/onnx/proto.h"
#include "ir/module.h"

namespace mote::onnx {

// none for a number that is no data type of ONNX.
DType dtype_of_number(std::int64_t data_type);
int number_of(DType t);
// "FLOAT", "INT64", ...: what Cast took before opset 6.
DType dtype_of_onnx_name(std::string_view name);

// The extent that stands for a dimension of the file.
using DimReader = std::function<Result<Dim>(const DimProto& dim, std::size_t axis)>;
Result<Type> type_of(const TypeProto& type, const DimReader& dim);

// A constant from a tensor of the file. Raw and external data are not copied; typed fields are decoded.
// `external` gives the source of a checked location.
using ExternalReader = std::function<Result<std::shared_ptr<const Source>>(std::string_view location)>;
Result<Constant> constant_of(const TensorProto& tensor, const std::shared_ptr<const Source>& file,
                             const ExternalReader& external);
// The same from COO form, dense afterwards; `max_bytes` bounds it.
Result<Constant> constant_of(const SparseTensorProto& tensor, const std::shared_ptr<const Source>& file,
                             const ExternalReader& external, std::size_t max_bytes);

// The elements of a small numeric constant as doubles, of a string constant as strings.
Result<std::vector<double>> numbers_of(const Constant& constant);
Result<std::vector<std::string>> strings_of(const Constant& constant);

}  // namespace mote::onnx
