#include "case.h"

#include <algorithm>
#include <filesystem>

namespace mote::conformance {
namespace {

namespace fs = std::filesystem;

void add_case(const fs::path& folder, std::vector<Case>& out) {
  Case c;
  c.name = folder.filename().string();
  c.set = folder.parent_path().filename().string();
  c.model = (folder / "model.onnx").string();
  for (const auto& e : fs::directory_iterator(folder)) {
    if (e.is_directory() && e.path().filename().string().starts_with("test_data_set")) {
      c.data_sets.push_back(e.path().string());
    }
  }
  std::sort(c.data_sets.begin(), c.data_sets.end());
  out.push_back(std::move(c));
}

void add_tflite(const fs::path& model, std::vector<Case>& out) {
  fs::path arrays = fs::path(model).replace_extension(".npz");
  if (!fs::exists(arrays)) return;
  Case c;
  c.name = model.stem().string();
  c.set = model.parent_path().filename().string();
  c.model = model.string();
  c.arrays = arrays.string();
  out.push_back(std::move(c));
}

void search(const fs::path& folder, int depth, std::vector<Case>& out) {
  if (fs::exists(folder / "model.onnx")) return add_case(folder, out);
  for (const auto& e : fs::directory_iterator(folder)) {
    if (e.is_directory() && depth < 3) search(e.path(), depth + 1, out);
    if (e.path().extension() == ".tflite") add_tflite(e.path(), out);
    if (e.path().extension() != ".onnx") continue;
    fs::path expected = folder / (e.path().stem().string() + "_output_0.pb");
    if (!fs::exists(expected)) continue;
    out.push_back(
        Case{folder.filename().string(), e.path().stem().string(), e.path().string(), {}, expected.string(), {}});
  }
}

}  // namespace

Result<std::vector<Case>> find_cases(const std::string& path) {
  std::error_code error;
  fs::path root = fs::canonical(path, error);
  if (error || !fs::is_directory(root)) return Status(Code::kNotFound, "no such folder").at(path);
  std::vector<Case> cases;
  search(root, 0, cases);
  std::sort(cases.begin(), cases.end(),
            [](const Case& a, const Case& b) { return std::pair(a.set, a.name) < std::pair(b.set, b.name); });
  if (cases.empty()) return Status(Code::kNotFound, "holds no cases").at(path);
  return cases;
}

}  // namespace mote::conformance
