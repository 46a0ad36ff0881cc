// The writer of ONNX files: one object per file. export.cc has the graph, export_attributes.cc the attributes of nodes,
// export_constants.cc the constants.
#pragma once

#include <deque>
#include <map>
#include <set>

#include "formats/onnx/onnx.h"
#include "formats/onnx/rows.h"
#include "formats/onnx/types.h"

namespace mote::onnx {

struct Names {
  std::map<ValueId, std::string_view> by_value;
};

class Exporter {
 public:
  Exporter(const Module& module, const ExportOptions& options) : module_(module), options_(options) {}
  Result<std::string> run();

 private:
  const Function& fn(FunctionId f) const { return module_.functions[static_cast<std::size_t>(f)]; }
  static const Value& value(const Function& f, ValueId v) { return f.values[static_cast<std::size_t>(v)]; }

  std::string_view keep(std::string s) { return kept_.emplace_back(std::move(s)); }
  // A name nothing else in the file has: subgraphs see the names around them.
  std::string_view claim(const std::string& wanted);
  std::string_view name_of(const Function& f, Names& names, ValueId v);
  void metadata();
  Status constant(ConstantId id, std::string_view name);
  Status stored_bytes(const Constant& c, TensorProto& t, std::span<const std::byte> bytes);
  Status filled(const Constant& c, std::string_view name, const std::vector<std::int64_t>& extents);
  Status transforms(const Constant& c, std::size_t first, std::vector<std::int64_t> shape, std::string_view from,
                    std::string_view to);
  void initializer(std::string_view name, DType dtype, std::vector<std::int64_t> dims, std::vector<std::byte> bytes);
  TypeProto type(const Type& t);
  ValueInfoProto info(std::string_view name, const Type& t);
  Status function(FunctionId id, Names& names, GraphProto& graph);
  Status outputs(const Function& f, Names& names, GraphProto& graph);
  Status node(const Function& f, Names& names, const Node& n, GraphProto& graph);
  Status bodies(const Function& f, Names& names, const Node& n, NodeProto& out);
  Status attributes(const Function& f, const Node& n, NodeProto& out);
  void label_tensors(const Node& n, DType dtype, NodeProto& out);
  Result<AttributeProto> attribute(const Function& f, const Node& n, const std::string& name, const AttrValue& v);
  void need(std::string_view domain, int version);
  // Products that are written as MatMulNBits, and the nodes that then are not written.
  void find_block_products(const Function& f);
  void block_product(const Function& f, Names& names, const Node& n, GraphProto& graph);

  const Module& module_;
  const ExportOptions& options_;
  ModelProto model_;
  std::deque<std::string> kept_;
  std::deque<std::vector<std::byte>> kept_bytes_;
  std::set<std::string, std::less<>> taken_;
  std::map<ConstantId, std::string_view> constants_;
  std::vector<NodeProto> first_nodes_;  // that make constants
  std::map<std::string_view, std::int64_t> opsets_;
  std::size_t bytes_ = 0;
  bool external_ = false;
  struct BlockProduct {
    const Constant *weights = nullptr, *scales = nullptr, *zeros = nullptr;
    std::int64_t block = 0;
  };
  std::map<const Node*, BlockProduct> block_products_;
  std::set<const Node*> folded_;
  std::map<std::string_view, std::size_t> missing_;  // ops that ONNX does not have
};

}  // namespace mote::onnx
