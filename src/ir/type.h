// src/ir: the Module that every format becomes and every pass rewrites, its text form and its verifier.
//
// Type of a value: Tensor(dtype, shape), List(of a type), Optional(of a type). A tensor's rank may be unknown (no
// shape), its extents may be symbolic. dtype none: not known yet.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "mote/dtype.h"
#include "tensor/dim.h"

namespace mote {

struct Type {
  enum class Kind : std::uint8_t { kTensor, kList, kOptional };

  Kind kind = Kind::kTensor;
  DType dtype = DType::none;       // tensors
  std::optional<Shape> shape;      // tensors; absent: rank unknown
  std::shared_ptr<const Type> of;  // lists and optionals

  static Type tensor(DType dtype, std::optional<Shape> shape = std::nullopt) {
    return Type{Kind::kTensor, dtype, std::move(shape), nullptr};
  }
  static Type list(Type element) {
    return Type{Kind::kList, DType::none, {}, std::make_shared<const Type>(std::move(element))};
  }
  static Type optional(Type element) {
    return Type{Kind::kOptional, DType::none, {}, std::make_shared<const Type>(std::move(element))};
  }

  bool is_tensor() const { return kind == Kind::kTensor; }
  bool has_rank() const { return is_tensor() && shape.has_value(); }
  // Requires has_rank().
  int rank() const { return static_cast<int>(shape->size()); }
  bool is_static() const { return has_rank() && constant_extents(*shape).has_value(); }

  // "f32[N,3,224,224]", "f32[?]" when the rank is unknown, "list(i64[?])", "optional(f32[2])".
  std::string to_string() const;
};

bool operator==(const Type& a, const Type& b);

}  // namespace mote
