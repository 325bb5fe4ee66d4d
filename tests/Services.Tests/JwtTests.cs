using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using DaprPlatform.ServiceDefaults.Auth;
using Xunit;

namespace DaprPlatform.Services.Tests;

public sealed class JwtTests : IDisposable
{
    private static readonly JwtOptions Options = new("issuer", "audience");
    private readonly ManualTime _time = new();
    private readonly JwtSigner _signer;
    private readonly JwtVerifier _verifier;

    public JwtTests()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        _signer = new JwtSigner(key.ExportPkcs8PrivateKeyPem(), Options, _time);
        _verifier = new JwtVerifier(Options, new LocalKeys(_signer.PublicKey), _time);
    }

    public void Dispose() => _signer.Dispose();

    [Fact]
    public async Task A_token_of_ours_names_its_user_and_roles()
    {
        var (principal, _) = await VerifyAsync(_signer.Issue("USR-1", ["operator"], TimeSpan.FromMinutes(15)));
        Assert.Equal("USR-1", principal!.FindFirst("sub")!.Value);
        Assert.True(principal.IsInRole("operator"));
    }

    [Fact]
    public async Task A_token_expires_even_when_it_was_verified_before()
    {
        var token = _signer.Issue("USR-1", [], TimeSpan.FromMinutes(15));
        Assert.NotNull((await VerifyAsync(token)).Principal);
        _time.Advance(TimeSpan.FromMinutes(15) + Options.ClockSkew);
        Assert.Null((await VerifyAsync(token)).Principal);
    }

    [Fact]
    public async Task A_changed_payload_is_refused()
    {
        var parts = _signer.Issue("USR-1", [], TimeSpan.FromMinutes(15)).Split('.');
        var payload = Encoding.UTF8.GetString(Base64Url.DecodeFromChars(parts[1])).Replace("USR-1", "USR-2", StringComparison.Ordinal);
        Assert.Equal("wrong signature", (await VerifyAsync($"{parts[0]}.{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(payload))}.{parts[2]}")).Reason);
    }

    [Theory]
    [InlineData("none")]
    [InlineData("HS256")]
    [InlineData("es256")]
    public async Task Another_algorithm_is_refused_whatever_its_signature(string algorithm)
    {
        var parts = _signer.Issue("USR-1", [], TimeSpan.FromMinutes(15)).Split('.');
        var header = Base64Url.EncodeToString(Encoding.UTF8.GetBytes($$"""{"alg":"{{algorithm}}","kid":"{{_signer.PublicKey.KeyId}}"}"""));
        Assert.Null((await VerifyAsync($"{header}.{parts[1]}.{parts[2]}")).Principal);
        Assert.Null((await VerifyAsync($"{header}.{parts[1]}.")).Principal);
    }

    [Fact]
    public async Task A_token_of_somebody_else_is_refused()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var other = new JwtSigner(key.ExportPkcs8PrivateKeyPem(), Options, _time);
        Assert.Equal("unknown key", (await VerifyAsync(other.Issue("USR-1", [], TimeSpan.FromMinutes(15)))).Reason);
    }

    [Theory]
    [InlineData("other", "audience", "wrong issuer")]
    [InlineData("issuer", "other", "wrong audience")]
    public async Task A_token_for_another_purpose_is_refused(string issuer, string audience, string reason)
    {
        var verifier = new JwtVerifier(new JwtOptions(issuer, audience), new LocalKeys(_signer.PublicKey), _time);
        Assert.Equal(reason, (await verifier.VerifyAsync(_signer.Issue("USR-1", [], TimeSpan.FromMinutes(15)), CancellationToken.None)).Reason);
    }

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("a.b.c.d")]
    [InlineData("%%%.%%%.%%%")]
    [InlineData("e30.e30.e30")]
    public async Task What_is_no_token_is_refused(string token) => Assert.Null((await VerifyAsync(token)).Principal);

    [Fact]
    public void A_key_set_can_be_written_and_read()
    {
        var read = Assert.Single(Jwk.ReadSet(Jwk.WriteSet([_signer.PublicKey])));
        Assert.Equal(_signer.PublicKey.KeyId, read.KeyId);
        Assert.Equal(_signer.PublicKey.X, read.X);
        Assert.Throws<FormatException>(() => Jwk.ReadSet("{}"));
    }

    private ValueTask<(System.Security.Claims.ClaimsPrincipal? Principal, string? Reason)> VerifyAsync(string token) => _verifier.VerifyAsync(token, CancellationToken.None);
}
