#include "formats/onnx/types.h"

namespace mote::onnx {
namespace {

struct TypeName {
  DType dtype;
  std::string_view name;
};

// In the order of TensorProto.DataType.
constexpr TypeName kTypes[] = {
    {DType::none, "UNDEFINED"},
    {DType::f32, "FLOAT"},
    {DType::u8, "UINT8"},
    {DType::i8, "INT8"},
    {DType::u16, "UINT16"},
    {DType::i16, "INT16"},
    {DType::i32, "INT32"},
    {DType::i64, "INT64"},
    {DType::string, "STRING"},
    {DType::boolean, "BOOL"},
    {DType::f16, "FLOAT16"},
    {DType::f64, "DOUBLE"},
    {DType::u32, "UINT32"},
    {DType::u64, "UINT64"},
    {DType::c64, "COMPLEX64"},
    {DType::c128, "COMPLEX128"},
    {DType::bf16, "BFLOAT16"},
    {DType::f8e4m3fn, "FLOAT8E4M3FN"},
    {DType::f8e4m3fnuz, "FLOAT8E4M3FNUZ"},
    {DType::f8e5m2, "FLOAT8E5M2"},
    {DType::f8e5m2fnuz, "FLOAT8E5M2FNUZ"},
    {DType::u4, "UINT4"},
    {DType::i4, "INT4"},
    {DType::f4e2m1, "FLOAT4E2M1"},
    {DType::f8e8m0, "FLOAT8E8M0"},
    {DType::u2, "UINT2"},
    {DType::i2, "INT2"},
};
constexpr std::int64_t kTypeCount = std::size(kTypes);

}  // namespace

DType dtype_of_number(std::int64_t n) {
  return n > 0 && n < kTypeCount ? kTypes[static_cast<std::size_t>(n)].dtype : DType::none;
}

int number_of(DType t) {
  for (int i = 1; i < kTypeCount; ++i) {
    if (kTypes[i].dtype == t) return i;
  }
  return 0;
}

DType dtype_of_onnx_name(std::string_view name) {
  for (const TypeName& t : kTypes) {
    if (t.name == name) return t.dtype;
  }
  return DType::none;
}

Result<Type> type_of(const TypeProto& type, const DimReader& dim) {
  switch (type.kind) {
    case TypeProto::Kind::kTensor: {
      DType t = dtype_of_number(type.elem_type);
      if (t == DType::none && type.elem_type != 0) {
        return unsupported("element type " + std::to_string(type.elem_type) + " is not known");
      }
      if (!type.shape) return Type::tensor(t);
      Shape shape;
      for (std::size_t i = 0; i < type.shape->size(); ++i) {
        MOTE_ASSIGN(Dim d, dim((*type.shape)[i], i));
        shape.push_back(std::move(d));
      }
      return Type::tensor(t, std::move(shape));
    }
    case TypeProto::Kind::kSequence:
    case TypeProto::Kind::kOptional: {
      if (!type.elem) return invalid("a sequence or optional type without the type of its elements");
      MOTE_ASSIGN(Type of, type_of(*type.elem, dim));
      return type.kind == TypeProto::Kind::kSequence ? Type::list(std::move(of)) : Type::optional(std::move(of));
    }
    case TypeProto::Kind::kSparseTensor:
      return unsupported("sparse tensors as inputs or outputs are not supported");
    case TypeProto::Kind::kMap:
      return unsupported("maps are not supported").hint("export the model without ZipMap (zipmap=False)");
    case TypeProto::Kind::kOpaque:
      return unsupported("opaque types are not supported");
    case TypeProto::Kind::kNone:
      break;
  }
  return Type();
}

}  // namespace mote::onnx
