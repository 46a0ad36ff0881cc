// Products with weights in blocks of 4 or 8 bits: matmul(x, transpose(dequantize_linear(w, scales, zeros))) with one
// scale for every block along K is written as com.microsoft's MatMulNBits, as it is read.
#include "formats/onnx/exporter.h"

namespace mote::onnx {
namespace {

std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

ValueId operand(const Node& n, std::size_t i) { return i < n.inputs.size() ? n.inputs[i] : kNone; }

// A constant's plain elements, as they are stored.
const Constant* plain(const Module& m, const Function& f, ValueId v) {
  ConstantId c = v == kNone ? kNone : f.values[at(v)].constant;
  if (c == kNone) return nullptr;
  const Constant& k = m.constants[at(c)];
  return k.encoding == Encoding::kPlain && k.transforms.empty() ? &k : nullptr;
}

AttributeProto whole_number(std::string_view name, std::int64_t v) {
  AttributeProto a;
  a.name = name;
  a.type = AttributeType::kInt;
  a.i = v;
  return a;
}

// Zero points as they are stored in the operator: each row of blocks starts at a byte.
std::vector<std::byte> zero_rows(std::span<const std::byte> packed, std::int64_t rows, std::int64_t blocks, bool four) {
  if (!four) return {packed.begin(), packed.end()};
  std::vector<std::byte> out(static_cast<std::size_t>(rows * ((blocks + 1) / 2)), std::byte{0});
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t b = 0; b < blocks; ++b) {
      std::int64_t from = r * blocks + b;
      unsigned nibble = std::to_integer<unsigned>(packed[static_cast<std::size_t>(from / 2)]) >> (from % 2 * 4) & 15u;
      out[static_cast<std::size_t>(r * ((blocks + 1) / 2) + b / 2)] |= static_cast<std::byte>(nibble << (b % 2 * 4));
    }
  }
  return out;
}

}  // namespace

void Exporter::find_block_products(const Function& f) {
  std::vector<std::int32_t> uses = f.use_counts();
  auto behind = [&](ValueId v, std::string_view op) {
    NodeId n = v == kNone ? kNone : f.values[at(v)].producer;
    return n != kNone && f.nodes[at(n)].op->name == op && uses[at(v)] == 1 ? n : kNone;
  };
  for (const Node& n : f.nodes) {
    if (n.op->name != "matmul" || operand(n, 2) != kNone) continue;
    NodeId turned = behind(operand(n, 1), "transpose");
    NodeId wide = turned == kNone ? kNone : behind(operand(f.nodes[at(turned)], 0), "dequantize_linear");
    if (wide == kNone) continue;
    const Node& dq = f.nodes[at(wide)];
    std::int64_t block = attr_int(*dq.op, dq.attrs, "block_size"), axis = attr_int(*dq.op, dq.attrs, "axis");
    const Constant *w = plain(module_, f, dq.inputs[0]), *scale = plain(module_, f, dq.inputs[1]);
    const Constant* zero = plain(module_, f, operand(dq, 2));
    if (!w || !scale || (operand(dq, 2) != kNone && !zero) || block < 16 || w->stored_shape.size() != 2 ||
        (axis != 1 && axis != -1) || (w->stored_dtype != DType::u4 && w->stored_dtype != DType::u8) || !zero ||
        scale->stored_dtype != DType::f32 || w->stored_shape[1] % block != 0 || (block & (block - 1)) != 0)
      continue;
    block_products_[&n] = {w, scale, zero, block};
    folded_.insert({&f.nodes[at(turned)], &dq});
  }
}

void Exporter::block_product(const Function& f, Names& names, const Node& n, GraphProto& graph) {
  const BlockProduct& p = block_products_.at(&n);
  std::int64_t columns = p.weights->stored_shape[0], depth = p.weights->stored_shape[1], blocks = depth / p.block;
  std::int64_t bits = bits_of(p.weights->stored_dtype);
  NodeProto out;
  out.name = n.name;
  out.op_type = "MatMulNBits";
  out.domain = "com.microsoft";
  need("com.microsoft", 1);
  std::string_view b = claim(p.weights->name), scales = claim(p.scales->name), zeros = claim(p.zeros->name);
  auto bytes_of_constant = [](const Constant& c) {
    return std::vector<std::byte>(c.stored().begin(), c.stored().end());
  };
  initializer(b, DType::u8, {columns, blocks, p.block * bits / 8}, bytes_of_constant(*p.weights));
  initializer(scales, DType::f32, {columns * blocks}, bytes_of_constant(*p.scales));
  std::vector<std::byte> rows = zero_rows(p.zeros->stored(), columns, blocks, bits == 4);
  std::int64_t count = static_cast<std::int64_t>(rows.size());
  initializer(zeros, DType::u8, {count}, std::move(rows));
  out.inputs = {name_of(f, names, n.inputs[0]), b, scales, zeros};
  out.outputs = {name_of(f, names, n.outputs[0])};
  out.attributes.push_back(whole_number("K", depth));
  out.attributes.push_back(whole_number("N", columns));
  out.attributes.push_back(whole_number("bits", bits));
  out.attributes.push_back(whole_number("block_size", p.block));
  graph.nodes.push_back(std::move(out));
}

}  // namespace mote::onnx
