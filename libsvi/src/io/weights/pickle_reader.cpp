#include "io/weights/pickle_reader.hpp"

#include <bit>
#include <unordered_map>

#include "io/weights/pickle_globals.hpp"
#include "io/weights/safetensors_header.hpp"
#include "svi/core/check.hpp"

// The opcodes: Python's documentation of pickletools; what torch.save writes: PyTorch's notes on
// serialization semantics.
namespace svi::pickle {
namespace {

using safetensors::shown;
// Hundred times what the largest checkpoints hold; a few bytes can ask for a lot.
constexpr std::size_t kMostValues = 1'000'000;
constexpr std::size_t kMostDims = 64;

class Reader {
 public:
  Reader(std::string_view bytes, const std::string& file, Values& values)
      : bytes_(bytes), file_(file), values_(values) {}

  const Value& run(std::size_t* end) {
    for (;;) {
      const auto at = next_;
      const auto op = static_cast<unsigned char>(take(1)[0]);
      if (op == '.') break;
      if (!plain(op) && !container(op) && !named(op)) {
        fail("opcode 0x", std::string("0123456789abcdef").substr(op >> 4, 1),
             std::string("0123456789abcdef").substr(op & 15, 1), " at byte ", at,
             " is none that a checkpoint of tensors needs; it is refused, since pickles can run ",
             "code. Save it again as safetensors, or with torch.save of a dict of tensors");
      }
    }
    if (end != nullptr) *end = next_;
    return *pop();
  }

 private:
  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    raise<IoError>(file_, ": its pickle: ", parts...);
  }

  std::string_view take(std::uint64_t count) {
    if (count > bytes_.size() - next_) fail("cut short at byte ", bytes_.size());
    const auto taken = bytes_.substr(next_, count);
    next_ += count;
    return taken;
  }
  std::uint64_t number(unsigned width) {
    const auto taken = take(width);
    std::uint64_t value = 0;
    for (unsigned i = width; i-- > 0;) value = value << 8 | static_cast<unsigned char>(taken[i]);
    return value;
  }
  std::string_view line() {
    const auto end = bytes_.find('\n', next_);
    if (end == std::string_view::npos) fail("cut short in a name");
    const auto text = bytes_.substr(next_, end - next_);
    next_ = end + 1;
    return text;
  }

  Value* make(Value value) {
    if (values_.size() >= kMostValues) fail("more than ", kMostValues, " values");
    values_.push_back(std::move(value));
    return &values_.back();
  }
  /// Elements of all containers together: one list can be copied many times over.
  void count(std::size_t more) {
    held_ += more;
    if (held_ > kMostValues) fail("its containers hold more than ", kMostValues, " values");
  }
  void push(Value value) { stack_.push_back(make(std::move(value))); }
  Value* pop() {
    if (stack_.empty() || stack_.back()->kind == Kind::mark)
      fail("takes a value from an empty stack");
    auto* top = stack_.back();
    stack_.pop_back();
    return top;
  }
  Value* top(Kind kind, const char* what) {
    if (stack_.empty() || stack_.back()->kind != kind) fail("adds to something that is no ", what);
    return stack_.back();
  }
  std::vector<const Value*> pop_to_mark() {
    auto mark = stack_.size();
    while (mark > 0 && stack_[mark - 1]->kind != Kind::mark) --mark;
    if (mark == 0) fail("lacks a mark");
    std::vector<const Value*> items(stack_.begin() + static_cast<std::ptrdiff_t>(mark),
                                    stack_.end());
    stack_.resize(mark - 1);
    return items;
  }

  /// Numbers, texts and the machinery of the stack.
  bool plain(unsigned char op) {
    switch (op) {
      case 0x80:  // PROTO
        if (const auto version = number(1); version < 2 || version > 5)
          fail("protocol ", version, " is none of 2 to 5");
        return true;
      case 0x95:
        number(8);
        return true;  // FRAME
      case '(':
        push({.kind = Kind::mark});
        return true;
      case '0':
        pop();
        return true;
      case '1':
        pop_to_mark();
        return true;
      case 'N':
        push({});
        return true;
      case 0x88:
      case 0x89:
        push({.kind = Kind::boolean, .integer = op == 0x88});
        return true;
      case 'J':
        push_integer(static_cast<std::int32_t>(number(4)));
        return true;
      case 'K':
      case 'M':
        push_integer(static_cast<std::int64_t>(number(op == 'K' ? 1 : 2)));
        return true;
      case 0x8a:
        push_long(number(1));
        return true;
      case 'G':
        push_real();
        return true;
      case 'T':  // as Python 2 writes texts
      case 'X':
        push_text(number(4));
        return true;
      case 'U':
      case 0x8c:
      case 0x8d:
        push_text(number(op == 0x8d ? 8 : 1));
        return true;
      case 'q':
      case 'r':
        memo_[number(op == 'q' ? 1 : 4)] = keep();
        return true;
      case 0x94:
        memo_[memo_.size()] = keep();
        return true;
      case 'h':
      case 'j':
        recall(number(op == 'h' ? 1 : 4));
        return true;
      default:
        return false;
    }
  }
  void push_integer(std::int64_t value) { push({.kind = Kind::integer, .integer = value}); }
  void push_long(std::uint64_t width) {
    if (width > 8) fail("a whole number of ", width, " bytes");
    auto value = number(static_cast<unsigned>(width));
    if (width > 0 && width < 8 && (value >> (8 * width - 1) & 1U) != 0)
      value |= ~std::uint64_t{0} << (8 * width);
    push_integer(static_cast<std::int64_t>(value));
  }
  void push_real() {
    std::uint64_t bits = 0;
    for (const char c : take(8)) bits = bits << 8 | static_cast<unsigned char>(c);
    push({.kind = Kind::real, .real = std::bit_cast<double>(bits)});
  }
  void push_text(std::uint64_t size) {
    push({.kind = Kind::text, .text = std::string(take(size))});
  }
  Value* keep() {
    if (stack_.empty() || stack_.back()->kind == Kind::mark)
      fail("remembers a value that does not exist");
    if (memo_.size() >= kMostValues) fail("remembers too much");
    return stack_.back();
  }
  void recall(std::uint64_t key) {
    const auto found = memo_.find(key);
    if (found == memo_.end()) fail("recalls value ", key, ", which was never remembered");
    stack_.push_back(found->second);
  }

  /// Tuples, lists and dicts.
  bool container(unsigned char op) {
    switch (op) {
      case '}':
        push({.kind = Kind::dict});
        return true;
      case ']':
      case ')':
        push({.kind = op == ']' ? Kind::list : Kind::tuple});
        return true;
      case 't':
      case 'l':
        push_items(op == 't' ? Kind::tuple : Kind::list, pop_to_mark());
        return true;
      case 'd': {
        const auto items = pop_to_mark();
        push({.kind = Kind::dict});
        set(items);
        return true;
      }
      case 0x85:
      case 0x86:
      case 0x87: {
        std::vector<const Value*> items(op - 0x84U);
        for (auto item = items.rbegin(); item != items.rend(); ++item) *item = pop();
        push_items(Kind::tuple, std::move(items));
        return true;
      }
      case 'a':
        append({pop()});
        return true;
      case 'e':
        append(pop_to_mark());
        return true;
      case 's': {
        const auto* value = pop();
        const auto* key = pop();
        set({key, value});
        return true;
      }
      case 'u':
        set(pop_to_mark());
        return true;
      default:
        return false;
    }
  }
  void push_items(Kind kind, std::vector<const Value*> items) {
    count(items.size());
    push({.kind = kind, .items = std::move(items)});
  }
  void append(const std::vector<const Value*>& items) {
    auto* list = top(Kind::list, "list");
    count(items.size());
    list->items.insert(list->items.end(), items.begin(), items.end());
  }
  void set(const std::vector<const Value*>& items) {
    auto* dict = top(Kind::dict, "dict");
    if (items.size() % 2 != 0) fail("gives a dict a key without value");
    count(items.size());
    for (std::size_t i = 0; i < items.size(); i += 2)
      dict->pairs.emplace_back(items[i], items[i + 1]);
  }

  /// Everything that names or makes an object.
  bool named(unsigned char op) {
    switch (op) {
      case 'c': {
        const auto module = line();
        global(module, line());
        return true;
      }
      case 0x93: {
        const auto* name = pop();
        const auto* module = pop();
        if (name->kind != Kind::text || module->kind != Kind::text) fail("a global without a name");
        global(module->text, name->text);
        return true;
      }
      case 'Q':
        storage(*pop());
        return true;
      case 'R': {
        const auto* arguments = pop();
        reduce(*pop(), *arguments);
        return true;
      }
      case 'b':
        build(*pop());
        return true;
      case 0x81: {
        const auto* arguments = pop();
        object(*pop(), *arguments);
        return true;
      }
      default:
        return false;
    }
  }
  void global(std::string_view module, std::string_view name) {
    if (!known_global(module, name)) {
      fail("names ", shown(module), ".", shown(name),
           ", which no dict of tensors needs; it is refused, since it could run code. Save the ",
           "tensors alone: torch.save({name: tensor}, f), or as safetensors");
    }
    push({.kind = Kind::global, .text = cat(module, " ", name)});
  }
  /// An object of a TorchScript program, as a dict of its attributes, which build() gives it.
  void object(const Value& type, const Value& arguments) {
    if (type.kind != Kind::global || !script_class(type.text.substr(0, type.text.find(' '))))
      fail("opcode 0x81 makes an object of ", shown(type.text), ", which is no part of a ",
           "TorchScript program; it is refused, since it could run code");
    if (arguments.kind != Kind::tuple || !arguments.items.empty())
      fail("makes an object of ", shown(type.text), " with arguments");
    if (type.text.size() > kLongestName) fail("a class has a name of ", type.text.size(), " bytes");
    push({.kind = Kind::dict, .text = type.text});
  }
  void build(const Value& state) {
    auto* target = top(Kind::dict, "dict");
    if (target->text.empty()) {  // an OrderedDict carries its _metadata, which no tensor needs
      if (state.kind != Kind::dict && state.kind != Kind::none)
        fail("gives a dict a state that is none");
      return;
    }
    if (state.kind != Kind::dict)
      fail("an object of ", shown(target->text), " packs its state in a way of its own; save the ",
           "weights with torch.save(torch.jit.load(f).state_dict(), f)");
    count(state.pairs.size());
    const auto pairs = state.pairs;  // a copy: the state may be the object itself
    target->pairs.insert(target->pairs.end(), pairs.begin(), pairs.end());
  }
  /// A list or dict to which TorchScript adds its type.
  void tagged(const Value& value) {
    if ((value.kind != Kind::list && value.kind != Kind::dict) || !value.text.empty())
      fail("gives a type to something that is neither list nor dict");
    count(value.items.size() + value.pairs.size());
    push(value);
  }
  void storage(const Value& id) {
    const auto& items = id.items;
    if (!is_storage_id(id)) fail("a persistent id that is no storage");
    const auto type = items[1]->text.substr(items[1]->text.find(' ') + 1);
    if (!is_storage(type) && type != "UntypedStorage") fail(shown(type), " is no storage");
    push({.kind = Kind::storage, .storage = {items[2]->text, type, items[4]->integer}});
  }
  void reduce(const Value& function, const Value& arguments) {
    if (function.kind != Kind::global || arguments.kind != Kind::tuple)
      fail("calls something that is no function");
    const auto& name = function.text;
    const auto& given = arguments.items;
    if (name == "collections OrderedDict") {
      push({.kind = Kind::dict});
      if (given.empty()) return;
      if (given.size() != 1 || given[0]->kind != Kind::list) fail("an OrderedDict of no pairs");
      for (const auto* pair : given[0]->items) {
        if (pair->items.size() != 2) fail("an OrderedDict of no pairs");
        set({pair->items[0], pair->items[1]});
      }
    } else if (name == "torch Size" && given.size() == 1) {
      push_items(Kind::tuple, given[0]->items);
    } else if (name.starts_with("torch.jit._pickle ") && !given.empty()) {
      tagged(*given[0]);
    } else if (name == "torch._utils _rebuild_parameter" && !given.empty() &&
               given[0]->kind == Kind::tensor) {
      push(*given[0]);
    } else if ((name == "torch._utils _rebuild_tensor_v2" ||
                name == "torch._utils _rebuild_tensor") &&  // before PyTorch 0.4
               given.size() >= 4) {
      tensor(given, "");
    } else if (name == "torch._utils _rebuild_tensor_v3" && given.size() >= 7 &&
               given[6]->kind == Kind::global) {
      tensor(given, given[6]->text.substr(given[6]->text.find(' ') + 1));
    } else {
      fail("calls ", shown(name), " with arguments that make no tensor");
    }
  }
  void tensor(const std::vector<const Value*>& given, const std::string& dtype) {
    if (given[0]->kind != Kind::storage || given[1]->kind != Kind::integer)
      fail("a tensor without storage");
    if (!dtype.empty() && !is_dtype(dtype)) fail("a tensor of unknown type ", shown(dtype));
    push({.kind = Kind::tensor,
          .tensor = {given[0]->storage, dtype, given[1]->integer, numbers(*given[2]),
                     numbers(*given[3])}});
  }
  std::vector<std::int64_t> numbers(const Value& tuple) const {
    std::vector<std::int64_t> result;
    if (tuple.kind != Kind::tuple || tuple.items.size() > kMostDims)
      fail("a tensor whose shape is no short tuple");
    for (const auto* item : tuple.items) {
      if (item->kind != Kind::integer) fail("a tensor whose shape is not of whole numbers");
      result.push_back(item->integer);
    }
    return result;
  }

  std::string_view bytes_;
  const std::string& file_;
  Values& values_;
  std::size_t next_ = 0, held_ = 0;
  std::vector<Value*> stack_;
  std::unordered_map<std::uint64_t, Value*> memo_;
};

}  // namespace

const Value& read(std::string_view bytes, const std::string& file, Values& values,
                  std::size_t* end) {
  return Reader(bytes, file, values).run(end);
}

}  // namespace svi::pickle
