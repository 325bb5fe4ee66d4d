using System.Text;
using DaprPlatform.Sidecar.Conversation;
using DaprPlatform.Sidecar.Cryptography;

namespace DaprPlatform.Sidecar.State.Tests;

public sealed class CryptographyTests
{
    private static readonly CryptoKey Key = CryptoKey.Parse([.. Enumerable.Range(0, 32).Select(i => (byte)i)]);

    // The vector of RFC 3394, 4.6: 256 bits of key data with a 256-bit key.
    [Fact]
    public void A_key_is_wrapped_as_the_standard_says()
    {
        var wrapping = Convert.FromHexString("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F");
        var data = Convert.FromHexString("00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F");
        var wrapped = AesKeyWrap.Wrap(wrapping, data);
        Assert.Equal("28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21", Convert.ToHexString(wrapped));
        Assert.Equal(data, AesKeyWrap.Unwrap(wrapping, wrapped));
        wrapped[3] ^= 1;
        Assert.Null(AesKeyWrap.Unwrap(wrapping, wrapped));
    }

    [Theory]
    [InlineData(DocumentCipher.AesGcm)]
    [InlineData(DocumentCipher.ChaCha20Poly1305)]
    public async Task A_document_opens_with_its_key_and_its_segments_in_their_places(object cipher)
    {
        var (document, header) = EncryptedDocument.Create(Key, KeyWrap.A256Kw, (DocumentCipher)cipher, "k");
        var first = document.Encrypt("first"u8, isLast: false);
        var last = document.Encrypt("last"u8, isLast: true);
        Assert.Equal(header.Length, EncryptedDocument.HeaderLength([.. header, .. first], isAll: true));
        var opened = await OpenAsync(header);
        Assert.Equal("first", Encoding.UTF8.GetString(opened.Decrypt(first, isLast: false)));
        Assert.Equal("last", Encoding.UTF8.GetString(opened.Decrypt(last, isLast: true)));
        await Assert.ThrowsAsync<SegmentException>(async () => (await OpenAsync(header)).Decrypt(last, isLast: true));
        await Assert.ThrowsAsync<SegmentException>(async () => (await OpenAsync(header)).Decrypt(first, isLast: true));
    }

    [Fact]
    public async Task A_changed_header_and_a_wrong_key_are_not_told_apart()
    {
        var (_, header) = EncryptedDocument.Create(Key, KeyWrap.A256Kw, DocumentCipher.AesGcm, "k");
        var other = CryptoKey.Parse(new byte[32]);
        var changed = header.ToArray();
        changed[Array.IndexOf(changed, (byte)'k') + 4] ^= 1;
        var wrong = await Assert.ThrowsAsync<CryptoException>(async () => await EncryptedDocument.OpenAsync(header, "", _ => new ValueTask<CryptoKey>(other)));
        var tampered = await Assert.ThrowsAsync<CryptoException>(async () => await EncryptedDocument.OpenAsync(changed, "", _ => new ValueTask<CryptoKey>(Key)));
        Assert.Equal(wrong.Message, tampered.Message);
    }

    [Theory]
    [InlineData("mail me@example.com now", "mail <EMAIL_ADDRESS> now")]
    [InlineData("call 555-123-4567", "call <ISBN>")]
    [InlineData("pay 4111 1111 1111 1111!", "pay <CREDIT_CARD>!")]
    [InlineData("from 192.168.0.1.", "from <IP>.")]
    [InlineData("978-3-16-148410-0", "<ISBN>")]
    [InlineData("order 12345 of 2026", "order 12345 of 2026")]
    public void Personal_data_is_scrubbed(string text, string expected) => Assert.Equal(expected, Scrubber.Scrub(text));

    private static ValueTask<EncryptedDocument> OpenAsync(byte[] header) => EncryptedDocument.OpenAsync(header, "", _ => new ValueTask<CryptoKey>(Key));
}
