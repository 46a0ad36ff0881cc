// Image preprocessing as nodes. Pixels are [N, H, W, C] or [H, W, C] until the layout is made, in f32 of whole grey
// levels.
#include <algorithm>
#include <span>

#include "base/text.h"
#include "front/front.h"
#include "front/nodes.h"
#include "media/geometry.h"

namespace mote::front {
namespace {

using media::Channels;
using media::Layout;
using media::Size;

// The axis of the height; the width's follows.
struct Pixels {
  ValueId v = kNone;
  std::int64_t row = 1;
  Size size;  // width 0: not known
};

class ImageFront {
 public:
  ImageFront(Front& front, const media::Geometry& geometry) : f_(front), g_(geometry) {}

  Pixels run(Pixels p) {
    if (p.size.width > 0) {
      for (const media::GeometryStep& s : media::geometry_steps(g_, p.size)) {
        p = s.resize ? resized(p, f_.ints({s.size.height}), f_.ints({s.size.width}), s.size) : cut(p, s);
      }
      return p;
    }
    if (g_.central) p = central(p);
    if (g_.letterbox) return letterbox(p);
    if (g_.resize) p = resize(p);
    if (g_.crop) p = crop(p);
    return p;
  }

 private:
  ValueId sides(const Pixels& p) { return f_.add("shape", {p.v}, {{"start", p.row}, {"end", p.row + 2}}); }
  ValueId part(ValueId pair, std::int64_t i) { return f_.add("slice", {pair, f_.ints({i}), f_.ints({i + 1})}); }
  ValueId real(ValueId v) { return f_.add("cast", {v}, {{"to", DType::f64}}); }
  ValueId whole(ValueId v) { return f_.add("cast", {v}, {{"to", DType::i64}}); }
  ValueId f64(double v) { return f_.b().scalar(v, DType::f64); }

  // Along one axis, then rounded as 8 bits are. Taps outside weigh nothing.
  ValueId along(ValueId v, std::int64_t axis, ValueId size) {
    const bool nearest = g_.filter == media::Filter::kNearest;
    std::vector<Attrs::Item> attrs = {{"axes", std::vector<std::int64_t>{axis}}};
    if (nearest) {
      attrs.emplace_back("mode", std::string("nearest"));
      attrs.emplace_back("coordinate_transformation_mode", std::string("tf_half_pixel_for_nn"));
      attrs.emplace_back("nearest_mode", std::string("floor"));
      return f_.add("resize", {v, kNone, kNone, size}, std::move(attrs));
    }
    const bool cubic = g_.filter == media::Filter::kBicubic;
    attrs.emplace_back("mode", std::string(cubic ? "cubic" : "linear"));
    attrs.emplace_back("antialias", std::int64_t{1});
    attrs.emplace_back("exclude_outside", std::int64_t{1});
    if (cubic) attrs.emplace_back("cubic_coeff_a", -0.5);
    v = f_.add("floor", {f_.add("add", {f_.add("resize", {v, kNone, kNone, size}, std::move(attrs)), f_.f32(0.5)})});
    return cubic ? f_.add("clip", {v, f_.f32(0), f_.f32(255)}) : v;
  }

  Pixels resized(Pixels p, ValueId height, ValueId width, Size size) {
    if (size.width > 0 && size.width == p.size.width && size.height == p.size.height) return p;
    p.v = along(p.v, p.row + 1, width);
    p.v = along(p.v, p.row, height);
    p.size = size;
    return p;
  }

  Pixels resize(Pixels p) {
    if (g_.resize->height != 0) {
      return resized(p, f_.ints({g_.resize->height}), f_.ints({g_.resize->width}), *g_.resize);
    }
    ValueId hw = sides(p), shorter = f_.add("reduce_min", {hw});
    ValueId to = f_.add("div", {f_.add("mul", {hw, f_.b().scalar_int(g_.resize->width)}), shorter});
    return resized(p, part(to, 0), part(to, 1), {});
  }

  // What lies outside is `fill`.
  Pixels cut(Pixels p, const media::GeometryStep& s) {
    const std::int64_t top = std::max(0, s.top), left = std::max(0, s.left);
    const std::int64_t bottom = std::min(p.size.height, s.top + s.size.height);
    const std::int64_t right = std::min(p.size.width, s.left + s.size.width);
    p.v = f_.add("slice", {p.v, f_.ints({top, left}), f_.ints({bottom, right}), f_.ints({p.row, p.row + 1})});
    const std::int64_t before_y = std::max(0, -s.top), before_x = std::max(0, -s.left);
    const std::int64_t after_y = s.size.height - before_y - (bottom - top);
    const std::int64_t after_x = s.size.width - before_x - (right - left);
    if (before_y + before_x + after_y + after_x > 0) {
      p = padded(p, f_.ints({before_y, before_x, after_y, after_x}), s.filled);
    }
    p.size = s.size;
    return p;
  }

  // pads: top, left, bottom, right. Colours of three values are padded as zeros beside what is left of them.
  Pixels padded(Pixels p, ValueId pads, bool filled) {
    const std::vector<std::int64_t> axes = {p.row, p.row + 1};
    if (!filled || g_.fill.size() == 1) {
      p.v = f_.add("pad", {p.v, pads, f_.f32(filled ? g_.fill[0] : 0), f_.ints(axes)});
      return p;
    }
    const std::vector<double> colour(g_.fill.begin(), g_.fill.end());
    ValueId fill = f_.floats("preprocessing_fill", {3}, colour);
    p.v = f_.add("pad", {f_.add("sub", {p.v, fill}), pads, f_.f32(0), f_.ints(axes)});
    p.v = f_.add("add", {p.v, fill});
    return p;
  }

  Pixels letterbox(Pixels p) {
    const Size box = *g_.letterbox;
    ValueId hw = real(sides(p)), wh = f_.add("concat", {part(hw, 1), part(hw, 0)}, {{"axis", std::int64_t{0}}});
    const std::vector<double> across = {static_cast<double>(box.width), static_cast<double>(box.height)};
    ValueId other = f_.b().constant("preprocessing_box", DType::f64, {2}, to_bytes(std::span<const double>(across)));
    ValueId fit = f_.add("round", {f_.add("mul", {f_.add("div", {hw, wh}), other})});
    ValueId inner = f_.add("max", {whole(fit), f_.b().scalar_int(1)});
    ValueId sides = f_.ints({box.height, box.width});
    inner = f_.add("min", {inner, sides});
    p = resized(p, part(inner, 0), part(inner, 1), {});
    ValueId space = f_.add("sub", {sides, inner});
    ValueId before = whole(f_.add("round", {f_.add("mul", {real(space), f64(0.5)})}));
    ValueId after = f_.add("sub", {space, before});
    p = padded(p, f_.add("concat", {before, after}, {{"axis", std::int64_t{0}}}), true);
    p.size = box;
    return p;
  }

  Pixels central(Pixels p) {
    ValueId hw = sides(p), n = real(hw);
    ValueId rest = f_.add("sub", {n, f_.add("mul", {n, f64(static_cast<double>(*g_.central))})});
    ValueId cut = whole(f_.add("mul", {rest, f64(0.5)}));
    p.v = f_.add("slice", {p.v, cut, f_.add("sub", {hw, cut}), f_.ints({p.row, p.row + 1})});
    return p;
  }

  // Of a size that only a run knows and that is at least the crop's.
  Pixels crop(Pixels p) {
    const Size size = *g_.crop;
    if (p.size.width > 0) {
      media::Geometry only;
      only.crop = size;
      only.crop_at = g_.crop_at;
      return cut(p, media::geometry_steps(only, p.size)[0]);
    }
    ValueId want = f_.ints({size.height, size.width}), left = f_.add("sub", {sides(p), want});
    const bool centre = g_.crop_at == media::CropAt::kCentre;
    const bool bottom = g_.crop_at == media::CropAt::kBottomLeft || g_.crop_at == media::CropAt::kBottomRight;
    const bool right = g_.crop_at == media::CropAt::kTopRight || g_.crop_at == media::CropAt::kBottomRight;
    ValueId from = centre ? whole(f_.add("round", {f_.add("mul", {real(left), f64(0.5)})}))
                          : f_.add("mul", {left, f_.ints({bottom ? 1 : 0, right ? 1 : 0})});
    p.v = f_.add("slice", {p.v, from, f_.add("add", {from, want}), f_.ints({p.row, p.row + 1})});
    p.size = size;
    return p;
  }

  Front& f_;
  const media::Geometry& g_;
};

// Whether every step of the way is known without the size of the image, or a crop surely fits.
Status check_open(const media::Geometry& g) {
  const bool exact = !g.resize || g.resize->height != 0;
  if (g.crop && !g.resize) {
    return invalid("a crop of images of any size may have to add to them").hint("--image-size WIDTHxHEIGHT");
  }
  if (g.crop && !exact && std::max(g.crop->width, g.crop->height) > g.resize->width) {
    return invalid("the crop is larger than the short side")
        .hint("--image-size WIDTHxHEIGHT says how large images are");
  }
  return {};
}

struct Place {
  std::size_t position = 0;
  Layout layout = Layout::kNchw;
  Channels channels = Channels::kRgb;
  Size size;  // -1 where it is free
};

Result<Place> find_place(const Function& f, std::span<const State> states, const media::Preprocess& p) {
  for (std::size_t i = 0; i < f.inputs.size(); ++i) {
    bool state = false;
    for (const State& s : states) state = state || s.input == static_cast<std::int32_t>(i);
    if (state) continue;
    const Type& t = f.values[static_cast<std::size_t>(f.inputs[i])].type;
    if (!t.has_rank() || (t.rank() != 3 && t.rank() != 4)) continue;
    const auto extent = [&](int axis) {
      const Dim& d = (*t.shape)[static_cast<std::size_t>(t.rank() - 3 + axis)];
      return d.is_const() ? static_cast<int>(std::min<std::int64_t>(d.value(), 1 << 30)) : -1;
    };
    Place place;
    place.position = i;
    MOTE_ASSIGN(place.layout, media::image_layout(extent(0), extent(2), p));
    const bool first = place.layout == Layout::kNchw;
    const int channels = extent(first ? 0 : 2);
    if (channels >= 0 && channels != 1 && channels != 3) continue;
    place.channels = p.channels.value_or(channels == 1 ? Channels::kGrey : Channels::kRgb);
    if (channels >= 0 && (channels == 1) != (place.channels == Channels::kGrey))
      return invalid(concat("the input takes ", channels, " channels, which is not what images are to have"));
    place.size = {extent(first ? 2 : 1), extent(first ? 1 : 0)};
    return place;
  }
  return invalid("the model has no input that takes an image").hint("images fit inputs of rank 3 and 4");
}

// The values that fill_input gives, from whole grey levels.
ValueId values(Front& f, ValueId v, DType dtype, const media::Preprocess& p, const media::Quantization& q,
               int channels) {
  const bool raw = is_int(dtype) && q.scale == 0 && p.mean.empty() && p.std.empty() && !p.scale;
  if (raw) return f.stored(dtype == DType::i8 ? f.add("sub", {v, f.f32(128)}) : v, dtype, q);
  v = p.scale ? f.add("mul", {v, f.f32(static_cast<double>(*p.scale))}) : f.add("div", {v, f.f32(255)});
  const auto per_channel = [&](const std::vector<float>& given, const char* name) {
    std::vector<double> all(given.begin(), given.end());
    if (all.size() == 1) return f.f32(all[0]);
    return f.floats(name, {channels}, all);
  };
  if (!p.mean.empty()) v = f.add("sub", {v, per_channel(p.mean, "preprocessing_mean")});
  if (!p.std.empty()) v = f.add("div", {v, per_channel(p.std, "preprocessing_std")});
  return f.stored(v, dtype, q);
}

}  // namespace

Status prepend_image(Module& module, const OpLookup& ops, const media::Preprocess& p, media::Size source,
                     const media::Quantization& quantization) {
  if (module.functions.empty()) return invalid("the module has no function");
  const FunctionId function = module.signatures.empty() ? 0 : module.signatures[0].function;
  Function& fn = module.functions[static_cast<std::size_t>(function)];
  std::span<const State> states;
  if (!module.signatures.empty()) states = module.signatures[0].states;
  MOTE_ASSIGN(const Place place, find_place(fn, states, p));
  MOTE_ASSIGN(const media::Geometry geometry, media::find_geometry(place.size, p));
  if (source.width == 0) MOTE_TRY(check_open(geometry));
  const int channels = place.channels == Channels::kGrey ? 1 : 3;
  for (const std::vector<float>* list : {&p.mean, &p.std}) {
    if (list->size() > 1 && list->size() != static_cast<std::size_t>(channels))
      return invalid(concat(list->size(), " values of mean or std for ", channels, " channel"));
  }
  Front f(module, function, ops, place.position);
  const Type old = fn.values[static_cast<std::size_t>(f.old())].type;
  const bool batched = old.rank() == 4;
  const std::int64_t row = batched ? 1 : 0;
  Shape shape;
  if (batched) shape.push_back((*old.shape)[0]);
  const bool open = source.width == 0;
  if (open) module.symbols.insert(module.symbols.end(), {Symbol{"image_height", 1}, Symbol{"image_width", 1}});
  shape.push_back(open ? Dim::symbol("image_height") : Dim(source.height));
  shape.push_back(open ? Dim::symbol("image_width") : Dim(source.width));
  shape.emplace_back(channels);
  const std::string name = fn.values[static_cast<std::size_t>(f.old())].name;
  ValueId v = f.input(Type::tensor(DType::u8, std::move(shape)));
  v = f.add("cast", {v}, {{"to", DType::f32}});
  const Pixels made = ImageFront(f, geometry).run({v, row, source});
  v = made.v;
  if (made.size.width > 0) {
    // What a run finds out is known all the same.
    std::vector<std::int64_t> extents = {made.size.height, made.size.width, channels};
    if (batched) extents.insert(extents.begin(), 0);
    if (open) v = f.add("reshape", {v, f.ints(extents)});
    if ((place.size.width > 0 && place.size.width != made.size.width) ||
        (place.size.height > 0 && place.size.height != made.size.height)) {
      return invalid(concat("the image is ", media::size_text(made.size.width, made.size.height),
                            " after resize and crop, and the input takes ",
                            media::size_text(place.size.width, place.size.height)));
    }
  }
  if (place.channels == Channels::kBgr) {
    v = f.add("gather", {v, f.ints({2, 1, 0})}, {{"axis", row + 2}});
  }
  v = values(f, v, old.dtype, p, quantization, channels);
  if (place.layout == Layout::kNchw) {
    std::vector<std::int64_t> perm = {row + 2, row, row + 1};
    if (batched) perm.insert(perm.begin(), 0);
    v = f.add("transpose", {v}, {{"perm", perm}});
  }
  const std::string scale_key = "mote.quantization." + name;
  const std::string_view drop[] = {"mote.image.", "Image.", scale_key};
  MOTE_TRY(f.finish(v, drop));
  module.metadata.emplace_back("mote.image.layout", "nhwc");
  module.metadata.emplace_back("mote.image.channels", channels == 1 ? "grey" : "rgb");
  return {};
}

}  // namespace mote::front
