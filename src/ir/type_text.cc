#include "ir/text.h"

namespace mote {
namespace {

constexpr std::size_t kMaxDimText = 20000;

Result<Type> parse_nested(std::string_view text, int depth) {
  if (depth > 16) return invalid("type is nested too deeply");
  for (std::string_view kind : {"list(", "optional("}) {
    if (!text.starts_with(kind) || !text.ends_with(")")) continue;
    MOTE_ASSIGN(Type of, parse_nested(text.substr(kind.size(), text.size() - kind.size() - 1), depth + 1));
    return kind == "list(" ? Type::list(std::move(of)) : Type::optional(std::move(of));
  }
  std::size_t open = text.find('[');
  std::optional<DType> dtype = dtype_of(text.substr(0, open));
  if (!dtype && text.substr(0, open) == "none") dtype = DType::none;
  if (open == std::string_view::npos || !text.ends_with("]") || !dtype) {
    return invalid("'" + std::string(text.substr(0, 80)) + "' is not a type");
  }
  std::string_view inside = text.substr(open + 1, text.size() - open - 2);
  if (inside == "?") return Type::tensor(*dtype);
  Shape shape;
  int parens = 0;
  for (std::size_t begin = 0, i = 0; !inside.empty() && i <= inside.size(); ++i) {
    if (i < inside.size()) parens += (inside[i] == '(') - (inside[i] == ')');
    if (i < inside.size() && (inside[i] != ',' || parens > 0)) continue;
    std::string_view dim = inside.substr(begin, i - begin);
    while (dim.starts_with(' ')) dim.remove_prefix(1);
    if (dim.size() > kMaxDimText)
      return invalid("dimension of more than " + std::to_string(kMaxDimText) + " characters");
    MOTE_ASSIGN(Dim d, Dim::parse(dim));
    shape.push_back(std::move(d));
    begin = i + 1;
  }
  return Type::tensor(*dtype, std::move(shape));
}

}  // namespace

Result<Type> parse_type(std::string_view text) { return parse_nested(text, 0); }

}  // namespace mote
