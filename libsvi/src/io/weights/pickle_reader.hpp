#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace svi::pickle {

/// A storage of a checkpoint: an entry of its archive as elements of one type.
struct Storage {
  std::string key;   // of the entry data/<key>
  std::string type;  // FloatStorage, ..., UntypedStorage
  std::int64_t elements = 0;
};

/// A view of a storage. The type of an untyped storage's elements stands in `dtype`.
struct TensorView {
  Storage storage;
  std::string dtype;  // float8_e4m3fn, ...; empty: that of the storage
  std::int64_t offset = 0;
  std::vector<std::int64_t> sizes, strides;
};

enum class Kind {
  none,
  boolean,
  integer,
  real,
  text,
  tuple,
  list,
  dict,
  global,   // text: "module name"
  storage,  // not seen by callers
  tensor,
  mark,  // likewise
};

/// One value; what containers hold lives in the same Values.
struct Value {
  Kind kind = Kind::none;
  std::int64_t integer = 0;  // also of a boolean
  double real = 0;
  std::string text = {};  // of a dict: the class of the object that it stands for, or empty
  std::vector<const Value*> items = {};                           // of a tuple or list
  std::vector<std::pair<const Value*, const Value*>> pairs = {};  // of a dict, in order
  Storage storage = {};
  TensorView tensor = {};
};
using Values = std::deque<Value>;  // owns; containers may hold each other, even themselves

/// Reads a pickle of protocols 2 to 5 that torch.save made of nested dicts, lists, tuples, plain
/// values and tensors, or torch.jit.save of a program; the last value is the result. Nothing is
/// ever called: of all globals only OrderedDict, the rebuilders of tensors, the names of torch's
/// types and TorchScript's classes are known, and they build the values above. An object of a class
/// becomes a dict of its attributes.
///
/// `end` receives where the pickle ends: other bytes may follow. Throws IoError with `file` in its
/// text and the opcode or global that is not allowed.
const Value& read(std::string_view bytes, const std::string& file, Values& values,
                  std::size_t* end = nullptr);

}  // namespace svi::pickle
