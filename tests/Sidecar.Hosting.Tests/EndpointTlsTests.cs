using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using DaprPlatform.Sidecar.Http.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Hosting.Tests;

/// <summary>HTTPEndpoints that ask for certificates.</summary>
public sealed class EndpointTlsTests
{
    [Fact]
    public async Task An_endpoint_is_called_with_the_certificates_of_its_resource()
    {
        using var authority = Authority.Create();
        await using var server = await StartAsync(authority);
        await using var sidecar = await RunningSidecar.StartAsync([Endpoint(server.Port, authority, authority)]);

        Assert.Equal((HttpStatusCode.OK, "CN=client"), await sidecar.SendAsync("GET", "/v1.0/invoke/secure/method/who"));
    }

    [Fact]
    public async Task A_certificate_that_is_not_trusted_is_named_as_the_reason()
    {
        using var authority = Authority.Create();
        using var other = Authority.Create();
        await using var server = await StartAsync(authority);
        await using var sidecar = await RunningSidecar.StartAsync([Endpoint(server.Port, other, authority)]);

        var (status, text) = await sidecar.SendAsync("GET", "/v1.0/invoke/secure/method/who");

        Assert.Equal(HttpStatusCode.InternalServerError, status);
        Assert.Contains("\"errorCode\":\"ERR_DIRECT_INVOKE\"", text, StringComparison.Ordinal);
        Assert.Contains("tls: failed to verify certificate: x509: certificate signed by unknown authority", text, StringComparison.Ordinal);
    }

    // Kestrel closes the connection without a word; other servers send an alert, which arrives when the answer is read.
    [Theory]
    [InlineData("error:0A000418:SSL routines::tlsv1 alert unknown ca", "remote error: tls: unknown certificate authority")]
    [InlineData("error:0A00045C:SSL routines::tlsv13 alert certificate required", "remote error: tls: certificate required")]
    [InlineData("error:0A000412:SSL routines::ssl/tls alert bad certificate", "remote error: tls: bad certificate")]
    [InlineData("Connection reset by peer", null)]
    public void An_alert_of_the_other_side_has_Gos_words(string inner, string? words) =>
        Assert.Equal(words, TlsFailures.Words(new IOException("The decryption operation failed, see inner exception.", new InvalidOperationException("Decrypt failed with OpenSSL error - SSL_ERROR_SSL.", new CryptographicException(inner)))));

    private static string Endpoint(int port, Authority root, Authority client)
    {
        var (certificate, key) = client.Issue("client");
        return $"""
            apiVersion: dapr.io/v1alpha1
            kind: HTTPEndpoint
            metadata:
              name: secure
            spec:
              baseUrl: https://localhost:{port}
              clientTLS:
                rootCA:
                  value: "{Line(root.Pem)}"
                certificate:
                  value: "{Line(certificate)}"
                privateKey:
                  value: "{Line(key)}"
            """;

        static string Line(string pem) => pem.ReplaceLineEndings("\\n");
    }

    private static async Task<Server> StartAsync(Authority authority)
    {
        var (certificate, key) = authority.Issue("localhost");
        using var pem = X509Certificate2.CreateFromPem(certificate, key);
        var own = X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null);
        var trusted = X509CertificateLoader.LoadCertificate(authority.Certificate.RawData);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var port = DaprSidecar.FreePort();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(k => k.ListenLocalhost(port, l => l.UseHttps(new HttpsConnectionAdapterOptions
        {
            ServerCertificate = own,
            ClientCertificateMode = ClientCertificateMode.RequireCertificate,
            ClientCertificateValidation = (given, _, _) =>
            {
                using var chain = new X509Chain { ChainPolicy = { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck } };
                chain.ChainPolicy.CustomTrustStore.Add(trusted);
                return chain.Build(given);
            },
        })));
        var app = builder.Build();
        app.MapGet("/who", context => context.Response.WriteAsync(context.Connection.ClientCertificate?.Subject ?? "nobody"));
        await app.StartAsync();
        return new Server(app, port);
    }

    private sealed class Server(WebApplication app, int port) : IAsyncDisposable
    {
        public int Port => port;

        public ValueTask DisposeAsync() => app.DisposeAsync();
    }

    private sealed class Authority(X509Certificate2 certificate) : IDisposable
    {
        public X509Certificate2 Certificate => certificate;

        public string Pem => certificate.ExportCertificatePem();

        public static Authority Create()
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var request = new CertificateRequest($"CN=root {Guid.NewGuid()}", key, HashAlgorithmName.SHA256);
            request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, 0, critical: true));
            request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
            return new Authority(request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1)));
        }

        public (string Certificate, string Key) Issue(string name)
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
            var names = new SubjectAlternativeNameBuilder();
            names.AddDnsName(name);
            request.CertificateExtensions.Add(names.Build());
            using var issued = request.Create(certificate, DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddHours(1), RandomNumberGenerator.GetBytes(8));
            return (issued.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem());
        }

        public void Dispose() => certificate.Dispose();
    }
}
