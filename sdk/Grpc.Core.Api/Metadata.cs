using System.Buffers;
using System.Collections;
using System.Text;

namespace Grpc.Core;

/// <summary>
/// Headers or trailers of a call, in order, keys repeatable. A key ending in <c>-bin</c> holds bytes, any other key ASCII text.
/// </summary>
public sealed class Metadata : IList<Metadata.Entry>
{
    /// <summary>Keys that hold bytes end in this.</summary>
    public const string BinaryHeaderSuffix = "-bin";

    /// <summary>Metadata without entries, read-only.</summary>
    public static readonly Metadata Empty = new Metadata().Freeze();

    readonly List<Entry> _entries = [];
    bool _readOnly;

    /// <summary>Metadata without entries, to be filled.</summary>
    public Metadata()
    {
    }

    internal Metadata Freeze()
    {
        _readOnly = true;
        return this;
    }

    /// <summary>The last entry with this key, in any case, or null.</summary>
    public Entry? Get(string key)
    {
        for (var i = _entries.Count - 1; i >= 0; i--)
        {
            if (_entries[i].KeyEquals(key))
                return _entries[i];
        }

        return null;
    }

    /// <summary>The text of the last entry with this key, or null.</summary>
    /// <exception cref="InvalidOperationException">The entry is binary.</exception>
    public string? GetValue(string key) => Get(key)?.Value;

    /// <summary>The bytes of the last entry with this key, or null.</summary>
    public byte[]? GetValueBytes(string key) => Get(key)?.ValueBytes;

    /// <summary>All entries with this key, in order.</summary>
    public IEnumerable<Entry> GetAll(string key)
    {
        foreach (var entry in _entries)
        {
            if (entry.KeyEquals(key))
                yield return entry;
        }
    }

    /// <summary>Appends a text entry.</summary>
    public void Add(string key, string value) => Add(new Entry(key, value));

    /// <summary>Appends a binary entry; the key must end in <c>-bin</c>.</summary>
    public void Add(string key, byte[] valueBytes) => Add(new Entry(key, valueBytes));

    /// <inheritdoc />
    public void Add(Entry item)
    {
        ArgumentNullException.ThrowIfNull(item);
        ThrowIfReadOnly();
        _entries.Add(item);
    }

    /// <inheritdoc />
    public int IndexOf(Entry item) => _entries.IndexOf(item);

    /// <inheritdoc />
    public void Insert(int index, Entry item)
    {
        ArgumentNullException.ThrowIfNull(item);
        ThrowIfReadOnly();
        _entries.Insert(index, item);
    }

    /// <inheritdoc />
    public void RemoveAt(int index)
    {
        ThrowIfReadOnly();
        _entries.RemoveAt(index);
    }

    /// <inheritdoc />
    public Entry this[int index]
    {
        get => _entries[index];
        set
        {
            ArgumentNullException.ThrowIfNull(value);
            ThrowIfReadOnly();
            _entries[index] = value;
        }
    }

    /// <inheritdoc />
    public void Clear()
    {
        ThrowIfReadOnly();
        _entries.Clear();
    }

    /// <inheritdoc />
    public bool Contains(Entry item) => _entries.Contains(item);

    /// <inheritdoc />
    public void CopyTo(Entry[] array, int arrayIndex) => _entries.CopyTo(array, arrayIndex);

    /// <inheritdoc />
    public int Count => _entries.Count;

    /// <inheritdoc />
    public bool IsReadOnly => _readOnly;

    /// <inheritdoc />
    public bool Remove(Entry item)
    {
        ThrowIfReadOnly();
        return _entries.Remove(item);
    }

    /// <inheritdoc />
    public IEnumerator<Entry> GetEnumerator() => _entries.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => _entries.GetEnumerator();

    /// <inheritdoc />
    public override string ToString() => $"[{string.Join(", ", _entries)}]";

    void ThrowIfReadOnly()
    {
        if (_readOnly)
            throw new InvalidOperationException("Object is read only");
    }

    /// <summary>One key with its value, immutable.</summary>
    public class Entry
    {
        static readonly SearchValues<char> KeyCharacters = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789_.-");

        readonly string? _value;
        readonly byte[]? _valueBytes;

        /// <summary>A binary entry. The array is copied.</summary>
        /// <exception cref="ArgumentException">The key is not a valid one or does not end in <c>-bin</c>.</exception>
        public Entry(string key, byte[] valueBytes)
        {
            Key = NormalizeKey(key);
            if (!IsBinary)
                throw new ArgumentException("Key for binary valued metadata entry needs to have suffix indicating binary value.", nameof(key));
            ArgumentNullException.ThrowIfNull(valueBytes);
            _valueBytes = valueBytes.ToArray();
        }

        /// <summary>A text entry.</summary>
        /// <exception cref="ArgumentException">The key is not a valid one or ends in <c>-bin</c>.</exception>
        public Entry(string key, string value)
        {
            Key = NormalizeKey(key);
            if (IsBinary)
                throw new ArgumentException("Key for ASCII valued metadata entry cannot have suffix indicating binary value.", nameof(key));
            ArgumentNullException.ThrowIfNull(value);
            _value = value;
        }

        Entry(string key, string? value, byte[]? valueBytes)
        {
            Key = key;
            _value = value;
            _valueBytes = valueBytes;
        }

        /// <summary>The key, in lower case.</summary>
        public string Key { get; }

        /// <summary>The bytes; for a text entry its ASCII encoding. The caller owns the array.</summary>
        public byte[] ValueBytes => _valueBytes is null ? Encoding.ASCII.GetBytes(_value!) : _valueBytes.ToArray();

        /// <summary>The text.</summary>
        /// <exception cref="InvalidOperationException">The entry is binary.</exception>
        public string Value => _value ?? throw new InvalidOperationException("Cannot access string value of a binary metadata entry");

        /// <summary>Whether the key ends in <c>-bin</c>.</summary>
        public bool IsBinary => Key.EndsWith(BinaryHeaderSuffix, StringComparison.Ordinal);

        /// <inheritdoc />
        public override string ToString() => _valueBytes is null
            ? $"[Entry: key={Key}, value={_value}]"
            : $"[Entry: key={Key}, valueBytes={Convert.ToHexString(_valueBytes)}]";

        internal ReadOnlySpan<byte> ValueSpan => _valueBytes;

        internal bool KeyEquals(string key) => string.Equals(Key, key, StringComparison.OrdinalIgnoreCase);

        /// <summary>For values off the wire: the key is lower case and legal already and the array is nobody else's.</summary>
        internal static Entry CreateUnsafe(string key, string value) => new(key, value, null);

        internal static Entry CreateUnsafe(string key, byte[] valueBytes) => new(key, null, valueBytes);

        static string NormalizeKey(string key)
        {
            ArgumentNullException.ThrowIfNull(key);
            var normalized = key.ToLowerInvariant();
            if (normalized.Length == 0 || normalized.AsSpan().ContainsAnyExcept(KeyCharacters))
            {
                throw new ArgumentException(
                    $"Metadata entry key '{key}' not valid. Keys can only contain lowercase alphanumeric characters, underscores, hyphens and dots.", nameof(key));
            }

            return normalized;
        }
    }
}
